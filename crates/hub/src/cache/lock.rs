//! One download of a file at a time, across processes.
//!
//! An advisory lock on a file of its own (`flock` on Unix, the same that the Python library
//! `filelock` takes). The system lets go of it when the process dies, however it dies. Lock files
//! stay: deleting one while another process opens it would let two through.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::time::Duration;

use super::layout::make_parent;
use crate::error::Error;
use crate::progress::{Meter, Phase};

/// Held until dropped.
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock; reports [`Phase::Waiting`] as long as another process has it.
    pub(crate) fn take(path: &Path, meter: &mut Meter<'_>) -> Result<Self, Error> {
        let file = open(path)?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) => {
                    meter.phase(Phase::Waiting);
                    meter.check()?;
                    std::thread::sleep(Duration::from_millis(200));
                }
                // Some network filesystems have no locks. Two downloads then cost bandwidth; the
                // checksum still decides what becomes a model.
                Err(TryLockError::Error(_)) => return Ok(Self { _file: file }),
            }
        }
    }
}

/// Whether another process holds the lock, and goes on holding it: a thread of this one that starts a program has copies
/// of all open files, a lock just dropped among them, until the program runs.
pub(crate) fn is_locked(path: &Path) -> bool {
    const LOOKS: usize = 10;
    if !path.exists() {
        return false;
    }
    let Ok(file) = open(path) else {
        return false;
    };
    (0..LOOKS).all(|look| {
        if look > 0 {
            std::thread::sleep(Duration::from_millis(10));
        }
        matches!(file.try_lock(), Err(TryLockError::WouldBlock))
    })
}

fn open(path: &Path) -> Result<File, Error> {
    make_parent(path)?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options
        .open(path)
        .map_err(|error| Error::io("open lock", path, error))
}
