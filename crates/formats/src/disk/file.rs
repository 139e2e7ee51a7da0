//! A file that stays open, and where in it something is.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::section::PAGE;
use crate::mmap::drop_cached;

/// A range of bytes of an open file.
#[derive(Clone)]
pub struct Extent {
    pub(crate) file: Arc<OpenFile>,
    pub(crate) start: u64,
    pub(crate) len: usize,
}

impl Extent {
    /// Bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Fills `buffer` with the bytes from `at` on, by an ordinary read: for little things that may come again.
    ///
    /// # Errors
    /// If the system cannot read them, or the file has become too short.
    ///
    /// # Panics
    /// If they are not all inside of the extent.
    pub fn read_at(&self, at: usize, buffer: &mut [u8]) -> Result<(), ReadError> {
        assert!(
            at <= self.len && buffer.len() <= self.len - at,
            "reads inside of the extent"
        );
        let at = self.start + at as u64;
        let read = fill(buffer, |done, rest| {
            read_at(&self.file.file, rest, at + done as u64)
        });
        match read {
            Ok(n) if n == buffer.len() => Ok(()),
            found => Err(self.file.error(at, buffer.len(), found)),
        }
    }
}

impl fmt::Debug for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.file.path.display();
        write!(
            f,
            "Extent({} bytes at {} of `{path}`)",
            self.len, self.start
        )
    }
}

/// Weights could not be read from disk when they were needed.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {len} bytes at {at} of `{}`: {error}", path.display())]
pub struct ReadError {
    /// The file.
    pub path: PathBuf,
    /// From its start, in bytes.
    pub at: u64,
    /// Bytes wanted.
    pub len: usize,
    /// What the system says.
    pub error: io::Error,
}

/// A file, with the name it was opened by, and once more for reads past the page cache.
pub(crate) struct OpenFile {
    file: File,
    path: PathBuf,
    direct: OnceLock<Option<File>>,
}

impl OpenFile {
    pub(crate) fn new(file: File, path: &Path) -> Self {
        Self {
            file,
            path: path.to_owned(),
            direct: OnceLock::new(),
        }
    }

    /// Fills `buffer` from `at` on and leaves nothing in the page cache; `needed` bytes of it must be there,
    /// the rest may lie behind the end of the file.
    ///
    /// `at`, and the address and length of `buffer`, are multiples of [`PAGE`].
    pub(crate) fn read_past_cache(
        &self,
        buffer: &mut [u8],
        at: u64,
        needed: usize,
    ) -> Result<(), ReadError> {
        let direct = self.direct.get_or_init(|| open_direct(&self.file));
        if let Some(direct) = direct {
            // An end of file that is no multiple of a page ends a direct read: nothing can come after it.
            let read = fill(buffer, |done, rest| match done.is_multiple_of(PAGE) {
                true => read_at(direct, rest, at + done as u64),
                false => Ok(0),
            });
            match read {
                Ok(n) if n >= needed => return Ok(()),
                // Some file systems open files so, and then refuse to read.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
                found => return Err(self.error(at, needed, found)),
            }
        }
        let read = fill(&mut buffer[..needed], |done, rest| {
            read_at(&self.file, rest, at + done as u64)
        });
        drop_cached(&self.file, at, needed as u64);
        match read {
            Ok(n) if n == needed => Ok(()),
            found => Err(self.error(at, needed, found)),
        }
    }

    fn error(&self, at: u64, len: usize, found: io::Result<usize>) -> ReadError {
        let error = match found {
            Err(error) => error,
            Ok(found) => io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("the file ends after {found} of them"),
            ),
        };
        ReadError {
            path: self.path.clone(),
            at,
            len,
            error,
        }
    }
}

/// Calls `read(done, rest)` until the buffer is full or nothing comes any more: how much has come.
fn fill(
    buffer: &mut [u8],
    mut read: impl FnMut(usize, &mut [u8]) -> io::Result<usize>,
) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match read(done, &mut buffer[done..]) {
            Ok(0) => break,
            Ok(n) => done += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

#[cfg(target_os = "linux")]
fn open_direct(file: &File) -> Option<File> {
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::OpenOptionsExt;
    let same_file = format!("/proc/self/fd/{}", file.as_raw_fd());
    let mut options = File::options();
    options.read(true).custom_flags(libc::O_DIRECT);
    options.open(same_file).ok()
}

#[cfg(not(target_os = "linux"))]
fn open_direct(_: &File) -> Option<File> {
    None
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, at)
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, at)
}

#[cfg(not(any(unix, windows)))]
fn read_at(_: &File, _: &mut [u8], _: u64) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}
