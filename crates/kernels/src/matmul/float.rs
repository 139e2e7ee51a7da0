//! Plain float weights times activations in f32, or in bf16 if the weights are.
//!
//! An output is the sum of 16 lanes, lane `i` holding `Σ w[16j + i] * x[16j + i]` by fused
//! multiply-adds in ascending `j`, a short tail padded with zeros; then the fixed tree of [`Isa::sum`].
//! Weights keep their precision and so do activations of F32 and F16 weights (llama.cpp rounds those to f16).
//!
//! Of bf16, lane `i` takes weights `32j + 2i + 1` and `32j + 2i`, in this order, which is that of the instruction that some
//! CPUs have for them ([`Isa::dot_bf16`]); it wants activations in bf16 too, and so every level rounds them, as
//! models in bf16 were trained.

use std::marker::PhantomData;

use super::{Task, XKind};
use crate::Scratch;
use crate::isa::{Isa, LANES, Op};
use crate::pool::Tile;

/// Weight rows and tokens whose sums are held at a time.
const ROWS: usize = 4;

/// How weights are read, 16 lanes at a time, and multiplied.
pub(super) trait FloatFormat: 'static {
    /// Weights, and activations, of a lane.
    const PER_LANE: usize;
    /// Bytes of a weight.
    const BYTES: usize;
    const X_KIND: XKind;
    /// Activations of a lane.
    type X: Copy + Default;
    /// 16 lanes of weights.
    type W<I: Isa>: Copy;
    /// Activations of an input row; the last vector may be cut short.
    fn row<'a>(task: &Task<'a>, row: usize) -> &'a [Self::X];
    fn load<I: Isa>(isa: I, bytes: &[u8]) -> Self::W<I>;
    fn add<I: Isa>(isa: I, w: Self::W<I>, x: &[Self::X; LANES], acc: I::F32) -> I::F32;
}

pub(super) struct F32;
pub(super) struct F16;
pub(super) struct Bf16;

/// Formats whose weights become f32 and meet f32.
macro_rules! as_f32 {
    ($format:ident, $bytes:literal, $load:ident) => {
        impl FloatFormat for $format {
            const PER_LANE: usize = 1;
            const BYTES: usize = $bytes;
            const X_KIND: XKind = XKind::F32;
            type X = f32;
            type W<I: Isa> = I::F32;
            #[inline(always)]
            fn row<'a>(task: &Task<'a>, row: usize) -> &'a [f32] {
                let k = task.weight.k;
                &task.x[row * k..][..k]
            }
            #[inline(always)]
            fn load<I: Isa>(isa: I, bytes: &[u8]) -> I::F32 {
                isa.$load(bytes.first_chunk().expect("16 lanes"))
            }
            #[inline(always)]
            fn add<I: Isa>(isa: I, w: I::F32, x: &[f32; LANES], acc: I::F32) -> I::F32 {
                isa.mul_add(w, isa.load(x), acc)
            }
        }
    };
}

as_f32!(F32, 4, f32_bytes);
as_f32!(F16, 2, f16_bytes);

impl FloatFormat for Bf16 {
    const PER_LANE: usize = 2;
    const BYTES: usize = 2;
    const X_KIND: XKind = XKind::Bf16;
    type X = i32;
    type W<I: Isa> = I::I32;
    #[inline(always)]
    fn row<'a>(task: &Task<'a>, row: usize) -> &'a [i32] {
        task.activations.bf16_row(row)
    }
    #[inline(always)]
    fn load<I: Isa>(isa: I, bytes: &[u8]) -> I::I32 {
        isa.as_words(isa.load_codes(bytes.first_chunk().expect("16 lanes")))
    }
    #[inline(always)]
    fn add<I: Isa>(isa: I, w: I::I32, x: &[i32; LANES], acc: I::F32) -> I::F32 {
        isa.dot_bf16(acc, w, isa.load_i32(x))
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
        let mut x: [&[F::X]; T] = [&[]; T];
        for (t, x) in x.iter_mut().enumerate() {
            *x = F::row(task, task.x_row(m + t));
        }
        let mut acc = [[isa.splat(0.0); T]; ROWS];
        // Bytes of a vector of weights.
        let size = LANES * F::PER_LANE * F::BYTES;
        let num_whole = k / (LANES * F::PER_LANE);
        // The first tokens ask for the next rows as one stretch of memory, line after line: four streams, one for
        // each row, come in half as fast.
        let is_first = m == self.tile.rows.start;
        let next = (n + ROWS) * task.row_bytes;
        for i in 0..num_whole {
            if is_first {
                for line in 0..ROWS * size / 64 {
                    isa.prefetch(task.weight.data, next + ROWS * size * i + 64 * line);
                }
            }
            for r in 0..ROWS {
                let w = F::load(isa, &rows[r][i * size..(i + 1) * size]);
                for t in 0..T {
                    let x = x[t][i * LANES..(i + 1) * LANES].first_chunk();
                    acc[r][t] = F::add(isa, w, x.expect("16 lanes"), acc[r][t]);
                }
            }
        }
        if num_whole * size < task.row_bytes {
            for r in 0..ROWS {
                let rest = &rows[r][num_whole * size..];
                let mut tail = [0; 4 * LANES];
                tail[..rest.len()].copy_from_slice(rest);
                let w = F::load(isa, &tail[..size]);
                for t in 0..T {
                    let rest = &x[t][num_whole * LANES..];
                    let mut tail = [F::X::default(); LANES];
                    tail[..rest.len()].copy_from_slice(rest);
                    acc[r][t] = F::add(isa, w, &tail, acc[r][t]);
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
