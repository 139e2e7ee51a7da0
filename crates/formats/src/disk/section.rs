//! Extents that are read together into one buffer.

use std::ops::{Deref, Range};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::file::{Extent, OpenFile, ReadError};
use crate::Bytes;

/// What direct reads are aligned to, in files and in memory, in bytes: no device asks for more.
pub(super) const PAGE: usize = 4096;
/// Bytes of one read: enough that asking costs nothing beside it.
const READ_BYTES: usize = 4 << 20;
/// Threads that read, so that a device always has something to do, also on a busy machine.
const NUM_READERS: usize = 4;
/// A gap between two extents that is read along rather than jumped over, in bytes.
const MAX_GAP: u64 = 64 << 10;

/// Extents that are read together, each with its place in the buffer.
///
/// What lies together in a file is read together, in one go from page to page.
#[derive(Clone)]
pub struct Section {
    runs: Vec<Run>,
    places: Vec<Range<usize>>,
    len: usize,
}

/// A run of whole pages of a file.
#[derive(Clone)]
struct Run {
    file: Arc<OpenFile>,
    /// In the file.
    at: u64,
    /// Bytes that must be there; the last page may not be full.
    needed: usize,
    /// In the buffer.
    place: usize,
}

impl Run {
    /// Whole pages of it.
    fn len(&self) -> usize {
        self.needed.next_multiple_of(PAGE)
    }

    fn end(&self) -> u64 {
        self.at + self.needed as u64
    }

    /// The reads that fill `pages`.
    fn parts<'a>(&'a self, pages: &'a mut [u8]) -> impl Iterator<Item = Part<'a>> {
        pages.chunks_mut(READ_BYTES).enumerate().map(|(i, part)| {
            let done = i * READ_BYTES;
            let needed = part.len().min(self.needed - done);
            (&*self.file, self.at + done as u64, needed, part)
        })
    }
}

impl Section {
    /// A section of these extents, in any order.
    pub fn new(extents: &[Extent]) -> Self {
        let mut order: Vec<usize> = (0..extents.len()).collect();
        order.sort_by_key(|&i| (Arc::as_ptr(&extents[i].file), extents[i].start));
        let mut runs: Vec<Run> = Vec::new();
        let mut places = vec![0..0; extents.len()];
        for i in order {
            let Extent { file, start, len } = &extents[i];
            let end = start + *len as u64;
            let is_near =
                |run: &&mut Run| Arc::ptr_eq(&run.file, file) && *start <= run.end() + MAX_GAP;
            if let Some(run) = runs.last_mut().filter(is_near) {
                run.needed = run.needed.max((end - run.at) as usize);
            } else {
                let at = start - start % PAGE as u64;
                runs.push(Run {
                    file: Arc::clone(file),
                    at,
                    needed: (end - at) as usize,
                    place: runs.last().map_or(0, |run| run.place + run.len()),
                });
            }
            let run = &runs[runs.len() - 1];
            let place = run.place + (start - run.at) as usize;
            places[i] = place..place + len;
        }
        let len = runs.last().map_or(0, |run| run.place + run.len());
        Self { runs, places, len }
    }

    /// Bytes of a buffer for it: whole pages.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Where in the buffer each extent is, in the order they were given in.
    pub fn places(&self) -> &[Range<usize>] {
        &self.places
    }

    /// Reads it into memory of its own.
    ///
    /// # Errors
    /// If the system cannot read it, or the file has become too short.
    pub fn read(&self) -> Result<Bytes, ReadError> {
        let mut buffer = Buffer::new(self.len);
        self.read_into(&mut buffer, || true)?;
        Ok(buffer.into_bytes())
    }

    /// Reads it into a buffer, as long as `wanted` says so between two reads: whether it is complete.
    ///
    /// # Errors
    /// As for [`Section::read`].
    ///
    /// # Panics
    /// If the buffer is too small.
    pub fn read_into(
        &self,
        buffer: &mut Buffer,
        wanted: impl Fn() -> bool + Sync,
    ) -> Result<bool, ReadError> {
        let mut parts = Vec::with_capacity(self.len / READ_BYTES + self.runs.len());
        let mut rest = buffer.pages_mut();
        for run in &self.runs {
            let (pages, after) = rest.split_at_mut(run.len());
            rest = after;
            parts.extend(run.parts(pages));
        }
        let num_helpers = NUM_READERS.min(parts.len()).saturating_sub(1);
        let parts = Parts {
            left: Mutex::new(parts.into_iter()),
            error: OnceLock::new(),
            given_up: AtomicBool::new(false),
        };
        std::thread::scope(|scope| {
            for _ in 0..num_helpers {
                let thread = std::thread::Builder::new().name("ingle-read".into());
                // Without help it takes longer.
                let _ = thread.spawn_scoped(scope, || parts.read(&wanted));
            }
            parts.read(&wanted);
        });
        match parts.error.into_inner() {
            Some(error) => Err(error),
            None => Ok(!parts.given_up.into_inner()),
        }
    }
}

/// One read: file, place in it, bytes that must be there, pages to fill.
type Part<'a> = (&'a OpenFile, u64, usize, &'a mut [u8]);

/// The reads of a section, which several threads share.
struct Parts<'a> {
    left: Mutex<std::vec::IntoIter<Part<'a>>>,
    error: OnceLock<ReadError>,
    given_up: AtomicBool,
}

impl Parts<'_> {
    /// Takes one after the other, until there are none, one fails, or they are not wanted.
    fn read(&self, wanted: &(impl Fn() -> bool + Sync)) {
        loop {
            let part = self
                .left
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .next();
            let Some((file, at, needed, pages)) = part else {
                return;
            };
            if self.error.get().is_some() {
                return;
            }
            if !wanted() {
                self.given_up.store(true, Ordering::Relaxed);
                return;
            }
            if let Err(error) = file.read_past_cache(pages, at, needed) {
                // One of several is enough.
                let _ = self.error.set(error);
            }
        }
    }
}

/// Memory for a [`Section`], aligned for direct reads.
pub struct Buffer {
    /// One page more than is used, for a start at a multiple of a page.
    memory: Vec<u8>,
    start: usize,
    len: usize,
}

impl Buffer {
    /// A buffer of `len` bytes, a whole number of pages.
    ///
    /// # Panics
    /// If it is not.
    pub fn new(len: usize) -> Self {
        assert!(len.is_multiple_of(PAGE), "{len} bytes are whole pages");
        let memory = vec![0; len + PAGE];
        let start = memory.as_ptr().align_offset(PAGE);
        Self { memory, start, len }
    }

    /// The same memory, to be shared and kept.
    pub fn into_bytes(self) -> Bytes {
        let used = self.start..self.start + self.len;
        let bytes = Bytes::from(self.memory).slice(used);
        bytes.expect("the memory is a page longer than what is used of it")
    }

    fn pages_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + self.len]
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.len]
    }
}
