//! `y[M,N] = x[M,K] * w[N,K]^T` for weights of every type, as they lie in the file.
//!
//! Quantised weights meet activations in int8 (see [`crate::quant`] for the arithmetic), plain floats
//! meet them in f32, bf16 meets them in bf16. The result is the same bits for one token or many, any number of threads and
//! every level: each output element is a fixed sequence of float operations, whatever shares its tile.

mod activations;
mod bf16;
mod float;
mod int8;
mod packed;
mod panels;
mod repack;
mod sums;
mod tiles;

use std::sync::Mutex;

pub use activations::{Activations, XKind};
pub(crate) use int8::Room;
use repack::Repack;
pub use repack::RowPart;
use tensor::DType;

use crate::isa::{Isa, LANES, Level, with_level};
use crate::pool::{Grid, Tile};
use crate::quant::with_format;
use crate::{Context, Scratch};

/// Bytes of weights worth one claim of a thread.
const CLAIM_BYTES: usize = 32 * 1024;

/// The product for one weight type at one level, chosen at load.
#[derive(Clone, Copy)]
pub struct MatmulKernel {
    format: &'static str,
    level: Level,
    dtype: DType,
    x_kind: XKind,
    run: fn(&Task<'_>, Tile<'_>, &mut Scratch),
    /// For quant formats.
    repack: Option<Repack>,
}

impl MatmulKernel {
    /// The kernel for weights of `dtype` at `level`; `None` if that type holds no weights.
    ///
    /// # Panics
    /// If the CPU lacks the level.
    pub fn new(dtype: DType, level: Level) -> Option<Self> {
        assert!(level.is_available(), "the CPU lacks {}", level.name());
        macro_rules! at {
            ($token:ty) => {
                Self::at::<$token>(dtype, level)
            };
        }
        with_level!(level, at, unreachable!("asserted above"))
    }

    fn at<I: Isa>(dtype: DType, level: Level) -> Option<Self> {
        macro_rules! float {
            ($format:ty, $name:literal, $run:expr) => {
                Some(Self {
                    format: $name,
                    level,
                    dtype,
                    x_kind: <$format as float::FloatFormat>::X_KIND,
                    run: $run,
                    repack: None,
                })
            };
        }
        macro_rules! int8 {
            ($format:ty) => {
                Some(Self {
                    format: <$format as crate::quant::QuantFormat>::NAME,
                    level,
                    dtype,
                    x_kind: int8::x_kind::<$format>(),
                    run: const { int8::kernel::<I, $format, false>() },
                    repack: Some(const { Repack::of::<I, $format>() }),
                })
            };
        }
        match dtype {
            DType::F32 => float!(float::F32, "f32", float::task::<I::Plain, float::F32>),
            DType::F16 => float!(float::F16, "f16", float::task::<I::Plain, float::F16>),
            DType::BF16 if I::Bf16::get().is_some() => {
                float!(float::Bf16, "bf16", float::task::<I::Bf16, float::Bf16>)
            }
            DType::BF16 => float!(float::Bf16, "bf16", float::task::<I::Plain, float::Bf16>),
            _ => with_format!(dtype, int8, None),
        }
    }

    /// Its name: format and level, as `q4_k/avx512-vnni`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.format, self.level.name())
    }

    /// The kernel for weights of this type that [`MatmulKernel::repack`] has repacked, if there is one for `n` rows.
    pub fn repacked(&self, n: usize) -> Option<Self> {
        let repack = self.repack.filter(|_| n > 0 && n.is_multiple_of(LANES))?;
        Some(Self {
            run: repack.run,
            ..*self
        })
    }

    /// Repacks `rows`, an `[n, k]` matrix as it lies in the file, into `out`: 16 rows become a strip of columns that
    /// need no transposing. `n` may be part of a matrix's rows, in multiples of 16.
    ///
    /// # Panics
    /// If [`MatmulKernel::repacked`] has no kernel, or a length does not fit.
    pub fn repack(&self, (n, k): (usize, usize), rows: &[u8], out: &mut [u8]) {
        let repack = self.repack.filter(|_| n.is_multiple_of(LANES));
        let repack = repack.expect("a type that can be repacked, whole strips");
        let row_bytes = self.dtype.row_bytes(k).expect("k is whole blocks");
        assert!(
            rows.len() == n * row_bytes && out.len() == rows.len(),
            "weights are [n, k]"
        );
        let weight = Weight {
            kernel: *self,
            n,
            k,
            data: rows,
        };
        (repack.pack)(&weight, out);
    }

    /// Whole blocks of a row of a repacked matrix, as they were before.
    ///
    /// # Panics
    /// If weights of this type are not repacked, or there are no such blocks.
    pub fn repacked_row(&self, data: &[u8], part: RowPart, out: &mut [u8]) {
        let repack = self.repack.expect("a type that can be repacked");
        (repack.row)(data, part, out);
    }

    /// The form of activations it takes.
    pub fn x_kind(&self) -> XKind {
        self.x_kind
    }
}

/// A weight matrix `[n, k]`: rows of quant blocks as they lie in the file, or repacked, as its kernel wants them.
#[derive(Clone, Copy)]
pub struct Weight<'a> {
    /// What multiplies with it.
    pub kernel: MatmulKernel,
    /// Outputs.
    pub n: usize,
    /// Inputs.
    pub k: usize,
    /// `n` rows of blocks, or strips of 16.
    pub data: &'a [u8],
}

/// What one tile of one product needs.
struct Task<'a> {
    weight: Weight<'a>,
    row_bytes: usize,
    x: &'a [f32],
    /// Whether `x` is one row that all rows of the output have in common.
    x_is_one: bool,
    activations: &'a Activations,
}

impl<'a> Task<'a> {
    /// # Panics
    /// If the weight's shape or form of activations does not fit.
    fn new(weight: Weight<'a>, x: &'a [f32], activations: &'a Activations, m: usize) -> Self {
        let row_bytes = weight
            .kernel
            .dtype
            .row_bytes(weight.k)
            .expect("k is whole blocks, checked at load");
        let x_rows = x.len() / weight.k;
        assert_eq!(x.len(), x_rows * weight.k, "x is [m, k]");
        assert_eq!(
            weight.data.len(),
            weight.n * row_bytes,
            "weights are [n, k]"
        );
        activations.assert_holds(weight.kernel.x_kind, x_rows, weight.k);
        assert!(
            x_rows == 1 || x_rows == m,
            "x has a row for each of y's, or one"
        );
        Self {
            weight,
            row_bytes,
            x,
            x_is_one: x_rows == 1,
            activations,
        }
    }

    /// The input row of an output row.
    #[inline(always)]
    fn x_row(&self, row: usize) -> usize {
        if self.x_is_one { 0 } else { row }
    }

    /// Outputs that are worth one claim of a thread, with `m` rows of input.
    fn claim(&self, context: &Context, m: usize) -> usize {
        // Few tokens: enough bytes to be worth a claim. Many tokens: one panel is plenty.
        let strips = if m > int8::FEW_TOKENS {
            int8::STRIPS
        } else {
            CLAIM_BYTES / (self.row_bytes * LANES)
        };
        let fair = self.weight.n / (LANES * 4 * context.pool.num_threads());
        LANES * strips.min(fair).max(1)
    }
}

/// Products of one input with several weights, as one job: `outputs[i][m, n_i] = x[m, k] * w_i^T`.
///
/// `x` is `[m, k]`; `activations` must hold `x` in every form the kernels take (see
/// [`Activations::quantize`]); each output is `[m, n_i]` and is overwritten.
///
/// # Panics
/// If a shape does not fit, or more than 4 products are asked for.
pub fn matmul(
    context: &Context,
    products: &mut [(Weight<'_>, &mut [f32])],
    x: &[f32],
    activations: &Activations,
) {
    let tasks: [Option<Task<'_>>; 4] = std::array::from_fn(|i| {
        let (weight, output) = products.get(i)?;
        let m = x.len() / weight.k;
        assert_eq!(output.len(), m * weight.n, "y is [m, n]");
        Some(Task::new(*weight, x, activations, m))
    });
    let mut grids = products
        .iter_mut()
        .enumerate()
        .map(|(i, (weight, output))| {
            let task = tasks[i].as_ref().expect("made above");
            let m = (output.len() / weight.n).max(1);
            Grid::new(output, weight.n, m, task.claim(context, m))
        });
    let run = |grids: &mut [Grid<'_>]| {
        context.pool.tiles(grids, |i, tile, thread| {
            let task = tasks[i].as_ref().expect("made above");
            let mut scratch = lock(&context.scratch[thread]);
            (task.weight.kernel.run)(task, tile, &mut scratch);
        });
    };
    let mut next = || grids.next().expect("counted");
    match tasks.iter().flatten().count() {
        0 => {}
        1 => run(&mut [next()]),
        2 => run(&mut [next(), next()]),
        3 => run(&mut [next(), next(), next()]),
        _ => run(&mut [next(), next(), next(), next()]),
    }
}

/// Products of the parts of an input, each with weights of its own, as one job: what experts compute.
///
/// Part `p` is the rows before `ends[p]` that are of no part before it, and none is empty. Rows of `outputs[i]` that
/// are part `p`'s become those of `x` times `weight(i, p)`. An `x` of one row is every part's, and these
/// have one row each. `activations` must hold `x` as [`matmul`] wants it. All weights of an output have one shape.
///
/// # Panics
/// If a shape does not fit, or there are more than 2 outputs.
pub fn matmul_parts<'w>(
    context: &Context,
    ends: &[usize],
    outputs: &mut [&mut [f32]],
    weight: impl Fn(usize, usize) -> Weight<'w> + Sync,
    x: &[f32],
    activations: &Activations,
) {
    let Some(&m) = ends.last() else { return };
    let is_one = !outputs.is_empty() && x.len() == weight(0, 0).k;
    assert!(!is_one || ends.len() == m, "one row of x: parts of one row");
    let mut grids = outputs.iter_mut().enumerate().map(|(i, output)| {
        let first = Task::new(weight(i, 0), x, activations, m);
        assert_eq!(output.len(), m * first.weight.n, "y is [m, n]");
        for part in 1..ends.len() {
            let Weight { n, k, .. } = Task::new(weight(i, part), x, activations, m).weight;
            assert_eq!((n, k), (first.weight.n, first.weight.k), "one shape");
        }
        let claim = first.claim(context, m.div_ceil(ends.len()));
        Grid::parts(output, first.weight.n, ends, claim)
    });
    let run = |grids: &mut [Grid<'_>]| {
        context.pool.tiles(grids, |i, tile, thread| {
            let part = ends.partition_point(|&end| end < tile.rows.end);
            let task = Task::new(weight(i, part), x, activations, m);
            let mut scratch = lock(&context.scratch[thread]);
            (task.weight.kernel.run)(&task, tile, &mut scratch);
        });
    };
    match (grids.next(), grids.next(), grids.next()) {
        (None, ..) => {}
        (Some(a), None, _) => run(&mut [a]),
        (Some(a), Some(b), None) => run(&mut [a, b]),
        _ => panic!("at most 2 outputs"),
    }
}

pub(crate) fn lock(scratch: &Mutex<Scratch>) -> std::sync::MutexGuard<'_, Scratch> {
    // Contents are rewritten before they are read, so a panic elsewhere left nothing that matters.
    scratch
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
