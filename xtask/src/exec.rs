//! Runs other programs: the output streams through, and test results are counted on the way.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::Failure;

/// What the test runners said, summed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Tests that passed.
    pub passed: usize,
    /// Tests that failed.
    pub failed: usize,
    /// Tests that were left out.
    pub ignored: usize,
    /// The failed tests by name.
    pub failures: Vec<String>,
}

impl Tally {
    /// Counts one line of a test runner's output; other lines change nothing.
    ///
    /// The lines are libtest's: `test result: ok. 5 passed; 0 failed; 1 ignored; …` and `test NAME ... FAILED`.
    pub(crate) fn read(&mut self, line: &str) {
        if let Some(result) = line.strip_prefix("test result: ") {
            for part in result.split(['.', ';']) {
                let mut words = part.split_whitespace();
                let Some(Ok(count)) = words.next().map(str::parse::<usize>) else {
                    continue;
                };
                match words.next() {
                    Some("passed") => self.passed += count,
                    Some("failed") => self.failed += count,
                    Some("ignored") => self.ignored += count,
                    _ => {}
                }
            }
        } else if let Some(name) = line
            .strip_prefix("test ")
            .and_then(|line| line.strip_suffix(" ... FAILED"))
        {
            self.failures.push(name.to_owned());
        }
    }

    /// The closing line: `123 passed, 0 failed`.
    pub(crate) fn summary(&self) -> String {
        let ignored = match self.ignored {
            0 => String::new(),
            n => format!(", {n} ignored"),
        };
        format!("{} passed, {} failed{ignored}", self.passed, self.failed)
    }
}

/// Runs `command` with the terminal as it is.
///
/// # Errors
/// If it cannot be started or does not succeed.
pub(crate) fn stream(command: &mut Command) -> Result<(), Failure> {
    let status = command.status().map_err(|error| cannot(command, &error))?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("`{}` ended with {status}", line(command))),
    }
}

/// Runs `command`, passes its stdout on and counts the test results in it.
///
/// # Errors
/// If it cannot be started or does not succeed; what was counted is in `tally` all the same.
pub(crate) fn test(command: &mut Command, tally: &mut Tally) -> Result<(), Failure> {
    let spawned = command.stdout(Stdio::piped()).spawn();
    let mut child = spawned.map_err(|error| cannot(command, &error))?;
    let mut out = std::io::stdout();
    if let Some(stdout) = child.stdout.take() {
        let mut reader = BufReader::new(stdout);
        let mut bytes = Vec::new();
        // By bytes: a test may print what is not UTF-8.
        while matches!(reader.read_until(b'\n', &mut bytes), Ok(1..)) {
            out.write_all(&bytes).ok();
            tally.read(String::from_utf8_lossy(&bytes).trim_end());
            bytes.clear();
        }
    }
    let status = child.wait().map_err(|error| cannot(command, &error))?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("`{}` ended with {status}", line(command))),
    }
}

/// The stdout of `command`; stderr goes to the terminal.
///
/// # Errors
/// If it cannot be started, does not succeed, or writes what is not UTF-8.
pub(crate) fn capture(command: &mut Command) -> Result<String, Failure> {
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| cannot(command, &error))?;
    if !output.status.success() {
        return Err(format!("`{}` ended with {}", line(command), output.status));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("`{}` wrote no UTF-8", line(command)))
}

/// `12.3 s`.
pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// The command as one would type it.
fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}

fn cannot(command: &Command, error: &std::io::Error) -> Failure {
    format!("cannot run `{}`: {error}", line(command))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_several_runners_are_summed() {
        let mut tally = Tally::default();
        for line in [
            "running 3 tests",
            "test a::b ... ok",
            "test a::c ... FAILED",
            "test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 4 filtered out; finished in 0.51s",
            "test result: ok. 40 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 1.00s",
        ] {
            tally.read(line);
        }
        assert_eq!(tally.summary(), "42 passed, 1 failed, 2 ignored");
        assert_eq!(tally.failures, ["a::c"]);
    }
}
