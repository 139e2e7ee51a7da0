//! Rearranges weights for speed.
//!
//! Kernels take rows as they lie in the file, and faster: the same bytes, sixteen rows together
//! ([`MatmulKernel::repack`]). Results are the same bits.
//!
//! Mapped weights go to huge pages of our own while or before they are used: each matrix can change over at any time, and
//! a large model need not wait for it. Pages of the mapping are given back as they are done with: no matrix is in memory
//! twice for long. What the file's cached pages take is the system's to reclaim. Weights that are nowhere but in memory
//! are rearranged where they lie ([`in_place`]).

use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use formats::Bytes;
use kernels::MatmulKernel;

/// Matrices that are arranged together share memory of this size at least: pages are few and none is left half empty.
const GROUP_BYTES: usize = 64 << 20;
/// Where a matrix begins in it.
const ALIGN: usize = 64;
/// Rows that are arranged together.
const STRIP: usize = 16;
/// Rows that a thread takes at a time.
const ROWS: usize = 32 * STRIP;

/// A matrix to be rearranged.
pub(crate) struct ToRepack {
    pub(crate) kernel: MatmulKernel,
    pub(crate) shape: (usize, usize),
    pub(crate) rows: Bytes,
    /// Where the result goes.
    pub(crate) repacked: Arc<OnceLock<Bytes>>,
}

/// Work of [`Model::repacking`](crate::Model::repacking); may run on another thread than the model.
pub struct Repacking {
    pub(crate) matrices: Vec<ToRepack>,
    /// Whether the model is gone.
    pub(crate) stop: Arc<AtomicBool>,
}

impl Repacking {
    /// Bytes to be rearranged.
    pub fn bytes(&self) -> u64 {
        let sizes = self.matrices.iter().map(|matrix| matrix.rows.len() as u64);
        sizes.sum()
    }

    /// Does it, on this thread and `num_threads - 1` others. Ends early if the model is dropped.
    ///
    /// # Errors
    /// If the system has no memory for it; matrices that were not reached stay as they are.
    pub fn run(&self, num_threads: usize) -> io::Result<()> {
        let mut rest = &self.matrices[..];
        while !rest.is_empty() && !self.stop.load(Ordering::Relaxed) {
            let (mut places, mut len) = (Vec::new(), 0_usize);
            for matrix in rest {
                if len >= GROUP_BYTES {
                    break;
                }
                let start = len.next_multiple_of(ALIGN);
                len = start + matrix.rows.len();
                places.push(start..len);
            }
            let (group, after) = rest.split_at(places.len());
            let fill = |bytes: &mut [u8]| fill(group, &places, bytes, num_threads);
            let bytes = Bytes::filled(len, fill)?;
            for (matrix, place) in group.iter().zip(places) {
                let repacked = bytes.slice(place).expect("places are in the group");
                // Nobody else sets it; if somebody did, it holds the same.
                let _ = matrix.repacked.set(repacked);
                matrix.rows.release();
            }
            rest = after;
        }
        Ok(())
    }
}

/// Rearranges an `[n, k]` matrix of `kernel` where it lies: strips change places with nobody.
pub(crate) fn in_place(
    kernel: MatmulKernel,
    (n, k): (usize, usize),
    bytes: &mut [u8],
    num_threads: usize,
) {
    let strip_len = bytes.len() / n * STRIP;
    let pieces = Mutex::new(bytes.chunks_mut(ROWS / STRIP * strip_len));
    on_threads(num_threads, || {
        let mut rows = vec![0; strip_len];
        loop {
            let piece = pieces.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(piece) = piece else { return };
            for strip in piece.chunks_exact_mut(strip_len) {
                rows.copy_from_slice(strip);
                kernel.repack((STRIP, k), &rows, strip);
            }
        }
    });
}

/// `work` on this thread and `num_threads - 1` others.
fn on_threads(num_threads: usize, work: impl Fn() + Sync) {
    std::thread::scope(|scope| {
        for _ in 1..num_threads {
            // What no thread is had for, this one does.
            let thread = std::thread::Builder::new().name("ingle-repack".into());
            let _ = thread.spawn_scoped(scope, &work);
        }
        work();
    });
}

/// Fills the `places` of matrices in `bytes`, some rows at a time.
fn fill(matrices: &[ToRepack], places: &[Range<usize>], bytes: &mut [u8], num_threads: usize) {
    let mut pieces = Vec::new();
    let (mut rest, mut end) = (bytes, 0);
    for (matrix, place) in matrices.iter().zip(places) {
        let (own, after) = rest[place.start - end..].split_at_mut(place.len());
        (rest, end) = (after, place.end);
        let len = ROWS * matrix.rows.len() / matrix.shape.0;
        for (i, out) in own.chunks_mut(len).enumerate() {
            let rows = matrix.rows.slice(i * len..i * len + out.len());
            pieces.push((matrix, rows.expect("as many bytes"), out));
        }
    }
    let pieces = Mutex::new(pieces);
    on_threads(num_threads, || {
        loop {
            let piece = pieces.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some((matrix, rows, out)) = piece else {
                return;
            };
            let (n, k) = matrix.shape;
            let n = n * rows.len() / matrix.rows.len();
            matrix.kernel.repack((n, k), &rows, out);
            // At once, not after the whole of a large matrix: a step that still reads them has them back.
            rows.release();
        }
    });
}
