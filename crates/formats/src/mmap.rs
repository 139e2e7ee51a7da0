//! Mapping a file into memory, memory of our own, and advice on pages. The only `unsafe` of this crate is here.
//!
//! # Why the map is sound, and what remains
//!
//! A mapping is a `&[u8]` over pages that the file system owns. Two things can go wrong with that, both only
//! if *another* party writes to the file while we use it:
//!
//! * **The contents change.** Rust assumes that bytes behind a shared slice stand still. We read them as plain
//!   numbers only: every index, length and string that steers our code is copied out of the mapping while the
//!   file is parsed (see [`crate::gguf`]), so changed pages can give wrong weights, not wrong addresses. (To the
//!   letter of the language even that is undefined behaviour; no user of `mmap` can rule it out alone.)
//! * **The file shrinks.** Pages behind the new end cannot be read any more: the kernel raises `SIGBUS` and
//!   the process dies. The length is taken after the file was opened and everything is checked against it, so
//!   a file that is short *at open* is an ordinary error; one that is cut later is not.
//!
//! Against both we hold a shared advisory lock on the file as long as it is mapped, and refuse to map one that
//! somebody holds exclusively: programs that lock what they write stay out of our way (on Windows the lock and
//! the mapping are enforced by the system). A program that truncates a model in use without asking for a lock
//! still kills us. That rest is accepted: the alternative is to copy gigabytes. Replacing a file by
//! renaming a new one over it, as downloaders do, is always safe: the mapping keeps the old one.

use std::fs::File;
use std::io;
use std::ops::{Deref, Range};
use std::path::Path;
use std::sync::Arc;

use memmap2::{Mmap, MmapMut};

use crate::disk::OpenFile;

/// A whole file, mapped read-only and locked (shared) until dropped.
pub(crate) struct Mapping {
    map: Mmap,
    /// Holds the lock; closing the file would release it.
    file: Arc<OpenFile>,
}

impl Mapping {
    /// Maps all of `file`, which was found at `path`.
    ///
    /// Errors: [`io::ErrorKind::WouldBlock`] if somebody else holds an exclusive lock on the file, or
    /// what the system says.
    pub(crate) fn new(file: File, path: &Path) -> io::Result<Self> {
        match file.try_lock_shared() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                return Err(io::Error::new(
                    io::ErrorKind::WouldBlock,
                    "another program has locked the file, probably to write it",
                ));
            }
            // Some file systems (network, read-only images) know no locks: reading is still worth it.
            Err(std::fs::TryLockError::Error(_)) => {}
        }
        // SAFETY: the map is read-only and handed out as `&[u8]` alone. Bytes that another process may change
        // under us are only ever used as numbers, never as lengths, indices or text (module docs), and the
        // lock above keeps cooperating writers out for as long as `map` lives.
        let map = unsafe { Mmap::map(&file)? };
        // A file that is not cached yet is read several times as fast, and sixteen rows take a page each: a huge one is
        // found again. Where the system has none, advice is all it was.
        #[cfg(target_os = "linux")]
        let _ = map.advise(memmap2::Advice::HugePage);
        let file = Arc::new(OpenFile::new(file, path));
        Ok(Self { map, file })
    }

    /// Takes these pages out of memory of ours; whoever reads them next gets them from the page cache, or from disk.
    #[cfg(unix)]
    pub(crate) fn release(&self, range: Range<usize>) {
        let advice = memmap2::UncheckedAdvice::DontNeed;
        // SAFETY: a map of a file that nobody writes through: its pages come back with the bytes of the file, so
        // no reader of the slice, now or later, sees anything else.
        let _ = unsafe {
            self.map
                .unchecked_advise_range(advice, range.start, range.len())
        };
    }

    /// Other systems take pages when they need memory.
    #[cfg(not(unix))]
    pub(crate) fn release(&self, _: Range<usize>) {}

    /// The file, with its lock.
    pub(crate) fn file(&self) -> &Arc<OpenFile> {
        &self.file
    }
}

impl Deref for Mapping {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map
    }
}

/// `len` bytes of memory of our own that begin at a page, in huge ones if the system has them; `fill` gets them as zeros.
///
/// Errors: what the system says, [`io::ErrorKind::Unsupported`] where it has no such memory.
pub(crate) fn own(len: usize, fill: impl FnOnce(&mut [u8])) -> io::Result<MmapMut> {
    let mut map = MmapMut::map_anon(len.max(1))?;
    #[cfg(target_os = "linux")]
    let _ = map.advise(memmap2::Advice::HugePage);
    fill(&mut map[..len]);
    Ok(map)
}

/// Says that the page cache need not keep this part of a file: somebody has read it into memory of their own.
#[cfg(target_os = "linux")]
pub(crate) fn drop_cached(file: &File, at: u64, len: u64) {
    use std::os::fd::AsRawFd;
    let (Ok(at), Ok(len)) = (at.try_into(), len.try_into()) else {
        return;
    };
    // SAFETY: takes numbers only; the descriptor is that of a file that is borrowed, so open. It is advice:
    // what comes back does not matter.
    let _ = unsafe { libc::posix_fadvise(file.as_raw_fd(), at, len, libc::POSIX_FADV_DONTNEED) };
}

/// Other systems drop pages when they need memory.
#[cfg(not(target_os = "linux"))]
pub(crate) fn drop_cached(_: &File, _: u64, _: u64) {}
