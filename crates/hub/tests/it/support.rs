//! What all tests share: temporary folders, settings, content, a recorder of progress.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hub::{Config, Hub, ModelRef, Phase, Progress, Report, Retry, Timeouts};

use crate::server::Server;

/// A folder that goes away with the value.
pub(crate) struct TempDir(pub(crate) PathBuf);

impl TempDir {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("hub-test-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// Patient enough for a loaded machine, impatient enough for a test.
pub(crate) fn config(cache: &Path, endpoint: &str) -> Config {
    Config {
        endpoint: endpoint.to_owned(),
        timeouts: Timeouts {
            connect: Duration::from_secs(2),
            response: Duration::from_secs(5),
            idle: Duration::from_secs(5),
            package: Duration::from_secs(20),
        },
        retry: Retry {
            attempts: 4,
            base: Duration::from_millis(5),
            max_wait: Duration::from_secs(2),
        },
        ..Config::at(cache)
    }
}

pub(crate) fn hub(cache: &TempDir, server: &Server) -> Hub {
    Hub::new(config(&cache.0, &server.url))
}

pub(crate) fn parse(name: &str) -> ModelRef {
    ModelRef::parse(name).unwrap()
}

/// Bytes that look random and differ by seed.
pub(crate) fn content(seed: u32, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as u8
    };
    (0..len).map(|_| next()).collect()
}

/// Remembers every report as text.
#[derive(Default)]
pub(crate) struct Recorder {
    pub(crate) phases: Vec<String>,
    pub(crate) last_done: u64,
    pub(crate) total: Option<u64>,
    pub(crate) resumed_from: u64,
}

impl Progress for Recorder {
    fn update(&mut self, report: &Report<'_>) {
        let name = match report.phase {
            Phase::Listing => "listing",
            Phase::Waiting => "waiting",
            Phase::Downloading(_) => "downloading",
            Phase::Retrying { .. } => "retrying",
            Phase::Verifying => "verifying",
            Phase::Package(_) => "package",
            Phase::Quantizing(_) => "quantizing",
            Phase::Done => "done",
        };
        if self.phases.last().is_none_or(|last| last != name) {
            self.phases.push(name.to_owned());
        }
        (self.last_done, self.total) = (report.done, report.total);
        self.resumed_from = report.resumed_from;
    }
}

/// Every file below a folder, relative, sorted; links are not followed.
pub(crate) fn tree(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).into_iter().flatten().flatten() {
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(entry.path()),
                false => {
                    let path = entry.path();
                    found.push(path.strip_prefix(folder).unwrap().display().to_string());
                }
            }
        }
    }
    found.sort();
    found
}
