//! One file from a server to the disk: resumed, retried, verified, then renamed into place.
//!
//! Bytes are appended to `<blob>.incomplete`. Its length is the only state, so a process may die at
//! any moment: what it wrote is a prefix of the file. When all bytes are there and their SHA-256 is
//! right, the data is flushed to the disk and renamed to its final name, which therefore never
//! stands for anything half-written.
//!
//! The final name is the content hash, and every run asks for that hash first. So a file that
//! changed on the server has another name and starts anew; bytes of two versions never mix.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::http::{Answer, Ask, Failure, Http, protocol};
use super::retry::{Backoff, is_passing, status_error};
use super::url::Url;
use crate::config::Retry;
use crate::error::Error;
use crate::progress::{Meter, Phase};

/// What to download and where to.
pub(crate) struct Job {
    pub(crate) url: Url,
    /// For messages.
    pub(crate) file: String,
    /// Validator for resuming; see [`super::api::FileHead::if_range`].
    pub(crate) if_range: Option<String>,
    pub(crate) size: Option<u64>,
    /// Lower-case hex.
    pub(crate) sha256: Option<String>,
    /// Where the bytes are collected.
    pub(crate) partial: PathBuf,
    /// Where the complete file goes; same folder.
    pub(crate) dest: PathBuf,
}

/// Runs the job and returns the file's size. The caller holds the lock of `dest`.
///
/// # Errors
/// Every network error after its retries; a checksum that stays wrong; a full disk.
pub(crate) fn run(
    http: &Http,
    retry: &Retry,
    job: &Job,
    meter: &mut Meter<'_>,
) -> Result<u64, Error> {
    let mut partial = Partial::open(&job.partial, meter)?;
    let mut size = job.size;
    if size.is_some_and(|size| partial.len() > size) {
        partial.restart(meter)?;
    }
    meter.resumed(partial.len());
    let mut own_bytes_only = partial.len() == 0;
    loop {
        fill(http, retry, job, &mut size, &mut partial, meter)
            .map_err(|error| with_progress(error, partial.len(), size))?;
        match partial.verify(job.sha256.as_deref(), &job.file) {
            Ok(()) => break,
            // Damage may lie in what an earlier run left (a power cut): once more, from the start.
            Err(Error::Checksum { .. }) if !own_bytes_only => {
                partial.restart(meter)?;
                own_bytes_only = true;
            }
            Err(error) => {
                partial.restart(meter)?;
                return Err(error);
            }
        }
    }
    let bytes = partial.len();
    partial.publish(&job.dest)?;
    Ok(bytes)
}

/// Why an attempt ended before the last byte.
enum Stop {
    /// Worth another attempt, after the pause that the server asks for, if it does.
    Retry(String, Option<Duration>),
    Error(Error),
}

/// Attempts until all bytes are there.
fn fill(
    http: &Http,
    retry: &Retry,
    job: &Job,
    size: &mut Option<u64>,
    partial: &mut Partial,
    meter: &mut Meter<'_>,
) -> Result<(), Error> {
    let mut backoff = Backoff::new(retry);
    let mut ranges_work = true;
    while *size != Some(partial.len()) {
        let before = partial.len();
        let patience = if backoff.is_last() {
            Duration::ZERO
        } else {
            retry.max_wait
        };
        let outcome = attempt(http, job, patience, size, partial, &mut ranges_work, meter);
        let (reason, asked) = match outcome {
            Ok(()) => return Ok(()),
            Err(Stop::Error(error)) => return Err(error),
            Err(Stop::Retry(reason, asked)) => (reason, asked),
        };
        if partial.len() >= before + worthwhile(*size) {
            backoff.reset();
        }
        if backoff.is_last() {
            return Err(Error::Interrupted {
                file: job.file.clone(),
                attempts: backoff.attempts(),
                reason,
                done: 0,
                total: None,
            });
        }
        backoff.pause(asked, &reason, meter)?;
    }
    Ok(())
}

/// An attempt that brings this much does not count as failed: 1 MiB, or 1 % of a small file.
fn worthwhile(size: Option<u64>) -> u64 {
    size.map_or(1 << 20, |size| (size / 100).clamp(1, 1 << 20))
}

/// One request, read to its end. A server that asks for a pause longer than `patience` is an error.
fn attempt(
    http: &Http,
    job: &Job,
    patience: Duration,
    size: &mut Option<u64>,
    partial: &mut Partial,
    ranges_work: &mut bool,
    meter: &mut Meter<'_>,
) -> Result<(), Stop> {
    meter.check().map_err(Stop::Error)?;
    if !*ranges_work && partial.len() > 0 {
        partial.restart(meter).map_err(Stop::Error)?;
    }
    let from = Some(partial.len()).filter(|len| *len > 0);
    let ask = Ask {
        from,
        if_range: job.if_range.as_deref(),
        leave_host: true,
        head: false,
    };
    let answer = match http.send(&job.url, ask) {
        Ok(answer) => answer,
        Err(Failure::Unreachable(reason) | Failure::Broken(reason)) => {
            return Err(Stop::Retry(reason, None));
        }
        Err(Failure::Fatal(error)) => return Err(Stop::Error(error)),
    };
    match answer.status {
        200 => {
            if partial.len() > 0 {
                partial.restart(meter).map_err(Stop::Error)?;
            }
            *size = size.or(answer.number("content-length"));
            let chunked = answer
                .header("transfer-encoding")
                .is_some_and(|te| te.contains("chunked"));
            if size.is_none() && !chunked {
                let reason = "neither a length nor chunks: its end cannot be told from a cut";
                return Err(Stop::Error(protocol(&answer.url, reason.to_owned())));
            }
        }
        206 => match check_range(&answer, from, *size) {
            Ok(()) => {}
            Err(reason) if *ranges_work && from.is_some() => {
                *ranges_work = false;
                return Err(Stop::Retry(reason, None));
            }
            Err(reason) => return Err(Stop::Error(protocol(&answer.url, reason))),
        },
        416 if from.is_some() => {
            *ranges_work = false;
            return Err(Stop::Retry("the server refuses to resume".to_owned(), None));
        }
        // A signed CDN address may have expired; the next attempt gets a new one.
        401 | 403 if !answer.url.same_origin(&job.url) => {
            return Err(Stop::Retry(
                format!("HTTP {} from the CDN", answer.status),
                None,
            ));
        }
        status if is_passing(status) => {
            let asked = answer.retry_after();
            if patience.is_zero() || asked.is_some_and(|asked| asked > patience) {
                return Err(Stop::Error(status_error(answer, &job.file, 0, None)));
            }
            return Err(Stop::Retry(format!("HTTP {status}"), asked));
        }
        _ => return Err(Stop::Error(status_error(answer, &job.file, 0, None))),
    }
    let host = answer.url.authority();
    copy(&mut answer.into_reader(), *size, partial, &host, meter)?;
    match *size {
        Some(size) if partial.len() < size => {
            Err(Stop::Retry("the connection was cut".to_owned(), None))
        }
        _ => Ok(()),
    }
}

/// `Content-Range: bytes FIRST-LAST/TOTAL` must be what was asked for.
fn check_range(answer: &Answer, from: Option<u64>, size: Option<u64>) -> Result<(), String> {
    let Some(from) = from else {
        return Err("HTTP 206 without having asked for a range".to_owned());
    };
    let header = answer.header("content-range").unwrap_or_default();
    let parsed = header.strip_prefix("bytes ").and_then(|text| {
        let (range, total) = text.split_once('/')?;
        let (first, _) = range.split_once('-')?;
        Some((first.parse::<u64>().ok()?, total.parse::<u64>().ok()))
    });
    match (parsed, size) {
        (Some((first, _)), _) if first != from => {
            Err(format!("asked for bytes from {from}, got `{header}`"))
        }
        (Some((_, Some(total))), Some(size)) if total != size => {
            Err(format!("expected a file of {size} bytes, got `{header}`"))
        }
        (Some(_), _) => Ok(()),
        (None, _) => Err(format!("HTTP 206 with Content-Range `{header}`")),
    }
}

/// Appends the body, not beyond `size`.
fn copy(
    body: &mut dyn Read,
    size: Option<u64>,
    partial: &mut Partial,
    host: &str,
    meter: &mut Meter<'_>,
) -> Result<(), Stop> {
    meter.phase(Phase::Downloading(host));
    let mut buffer = vec![0; 128 * 1024];
    while size != Some(partial.len()) {
        meter.check().map_err(Stop::Error)?;
        let left = size.map_or(u64::MAX, |size| size - partial.len());
        let want = buffer
            .len()
            .min(usize::try_from(left).unwrap_or(usize::MAX));
        let got = match body.read(&mut buffer[..want]) {
            Ok(0) => return Ok(()),
            Ok(got) => got,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Stop::Retry(error.to_string(), None)),
        };
        partial.append(&buffer[..got]).map_err(Stop::Error)?;
        meter.data(partial.len(), Phase::Downloading(host));
    }
    Ok(())
}

/// Errors made far inside learn here how much is on the disk.
fn with_progress(mut error: Error, have: u64, size: Option<u64>) -> Error {
    match &mut error {
        Error::Interrupted { done, total, .. }
        | Error::DiskFull { done, total, .. }
        | Error::RateLimited { done, total, .. }
        | Error::Status { done, total, .. } => (*done, *total) = (have, size),
        _ => {}
    }
    error
}

/// An unfinished file and the hash of what is in it.
pub(crate) struct Partial {
    file: File,
    path: PathBuf,
    len: u64,
    hash: Sha256,
}

impl Partial {
    /// Opens or creates it; reads what is there to compute its hash.
    pub(crate) fn open(path: &Path, meter: &mut Meter<'_>) -> Result<Self, Error> {
        let io = |action| move |error| Error::io(action, path, error);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(path).map_err(io("open"))?;
        let mut partial = Self {
            file,
            path: path.to_owned(),
            len: 0,
            hash: Sha256::new(),
        };
        let mut buffer = vec![0; 1 << 20];
        loop {
            let got = partial.file.read(&mut buffer).map_err(io("read"))?;
            if got == 0 {
                return Ok(partial);
            }
            meter.check()?;
            partial.hash.update(&buffer[..got]);
            partial.len += got as u64;
            meter.data(partial.len, Phase::Verifying);
        }
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file
            .write_all(bytes)
            .map_err(|error| Error::io("write", &self.path, error))?;
        self.hash.update(bytes);
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Throws everything away.
    pub(crate) fn restart(&mut self, meter: &mut Meter<'_>) -> Result<(), Error> {
        self.truncate_to_zero()
            .map_err(|error| Error::io("truncate", &self.path, error))?;
        self.len = 0;
        self.hash = Sha256::new();
        meter.restarted();
        Ok(())
    }

    fn truncate_to_zero(&mut self) -> std::io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0)).map(|_| ())
    }

    /// Compares with the expected hash, if there is one.
    pub(crate) fn verify(&self, expected: Option<&str>, name: &str) -> Result<(), Error> {
        let found = hex(&self.hash.clone().finalize());
        match expected {
            Some(expected) if !expected.eq_ignore_ascii_case(&found) => Err(Error::Checksum {
                file: name.to_owned(),
                expected: expected.to_owned(),
                found,
            }),
            _ => Ok(()),
        }
    }

    /// Flushes to the disk, then renames. The folder is flushed too, so the name survives a
    /// power cut together with the data.
    pub(crate) fn publish(self, dest: &Path) -> Result<(), Error> {
        self.file
            .sync_all()
            .map_err(|error| Error::io("flush", &self.path, error))?;
        drop(self.file);
        std::fs::rename(&self.path, dest)
            .map_err(|error| Error::io("rename", &self.path, error))?;
        crate::cache::sync_folder(dest);
        Ok(())
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
