//! Plain float weights times f32 activations.
//!
//! An output is the sum of 16 lanes, lane `i` holding `Σ w[16j + i] * x[16j + i]` by fused
//! multiply-adds in ascending `j`, a short tail padded with zeros; then the fixed tree of [`Isa::sum`].
//! Weights keep their precision and so do activations (llama.cpp rounds those to f16 or bf16).

use std::marker::PhantomData;

use super::Task;
use crate::Scratch;
use crate::isa::{Isa, LANES, Op};
use crate::pool::Tile;

/// Weight rows and tokens whose sums are held at a time.
const ROWS: usize = 4;

/// How 16 weights are read.
pub(super) trait FloatFormat: 'static {
    const BYTES: usize;
    fn load<I: Isa>(isa: I, bytes: &[u8]) -> I::F32;
}

pub(super) struct F32;
pub(super) struct F16;
pub(super) struct Bf16;

impl FloatFormat for F32 {
    const BYTES: usize = 4;
    #[inline(always)]
    fn load<I: Isa>(isa: I, bytes: &[u8]) -> I::F32 {
        isa.f32_bytes(bytes.first_chunk().expect("64 bytes"))
    }
}

impl FloatFormat for F16 {
    const BYTES: usize = 2;
    #[inline(always)]
    fn load<I: Isa>(isa: I, bytes: &[u8]) -> I::F32 {
        isa.f16_bytes(bytes.first_chunk().expect("32 bytes"))
    }
}

impl FloatFormat for Bf16 {
    const BYTES: usize = 2;
    #[inline(always)]
    fn load<I: Isa>(isa: I, bytes: &[u8]) -> I::F32 {
        isa.bf16_bytes(bytes.first_chunk().expect("32 bytes"))
    }
}

pub(super) fn task<I: Isa, F: FloatFormat>(task: &Task<'_>, tile: Tile<'_>, _: &mut Scratch) {
    let isa = I::get().expect("the kernel was chosen for this CPU");
    isa.run(TileOp::<F> {
        task,
        tile,
        format: PhantomData,
    });
}

struct TileOp<'a, F> {
    task: &'a Task<'a>,
    tile: Tile<'a>,
    format: PhantomData<F>,
}

impl<F: FloatFormat> Op for TileOp<'_, F> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(mut self, isa: I) {
        for n in self.tile.cols.clone().step_by(ROWS) {
            let mut m = self.tile.rows.start;
            while m < self.tile.rows.end {
                m += match self.tile.rows.end - m {
                    4.. => self.block::<I, 4>(isa, n, m),
                    2.. => self.block::<I, 2>(isa, n, m),
                    _ => self.block::<I, 1>(isa, n, m),
                };
            }
        }
    }
}

impl<F: FloatFormat> TileOp<'_, F> {
    /// Rows `n ..` (up to 4) times tokens `m .. m + T`; returns `T`.
    #[inline(always)]
    fn block<I: Isa, const T: usize>(&mut self, isa: I, n: usize, m: usize) -> usize {
        let (task, k) = (self.task, self.task.weight.k);
        let end = self.tile.cols.end;
        let mut rows: [&[u8]; ROWS] = [&[]; ROWS];
        for (r, row) in rows.iter_mut().enumerate() {
            let n = (n + r).min(end - 1);
            *row = &task.weight.data[n * task.row_bytes..][..task.row_bytes];
        }
        let mut x: [&[f32]; T] = [&[]; T];
        for (t, x) in x.iter_mut().enumerate() {
            *x = &task.x[task.x_row(m + t) * k..][..k];
        }
        let mut acc = [[isa.splat(0.0); T]; ROWS];
        let whole = k / LANES * LANES;
        // The first tokens ask for the next rows as one stretch of memory, line after line: four streams, one for
        // each row, come in half as fast.
        let is_first = m == self.tile.rows.start;
        let next = (n + ROWS) * task.row_bytes;
        for at in (0..whole).step_by(LANES) {
            if is_first {
                for line in 0..ROWS * LANES * F::BYTES / 64 {
                    isa.prefetch(task.weight.data, next + ROWS * F::BYTES * at + 64 * line);
                }
            }
            let mut xs = [isa.splat(0.0); T];
            for t in 0..T {
                xs[t] = isa.load(x[t][at..at + LANES].first_chunk().expect("16 lanes"));
            }
            for r in 0..ROWS {
                let w = F::load(isa, &rows[r][at * F::BYTES..(at + LANES) * F::BYTES]);
                for t in 0..T {
                    acc[r][t] = isa.mul_add(w, xs[t], acc[r][t]);
                }
            }
        }
        if whole < k {
            for r in 0..ROWS {
                let mut tail = [0; 4 * LANES];
                tail[..(k - whole) * F::BYTES].copy_from_slice(&rows[r][whole * F::BYTES..]);
                let w = F::load(isa, &tail[..LANES * F::BYTES]);
                for t in 0..T {
                    let mut tail = [0.0; LANES];
                    tail[..k - whole].copy_from_slice(&x[t][whole..]);
                    acc[r][t] = isa.mul_add(w, isa.load(&tail), acc[r][t]);
                }
            }
        }
        let start = n - self.tile.cols.start;
        for t in 0..T {
            let out = self.tile.row(m + t);
            for r in 0..ROWS.min(end - n) {
                out[start + r] = isa.sum(acc[r][t]);
            }
        }
        T
    }
}
