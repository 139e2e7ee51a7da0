//! Normalisation of rows.

use crate::Context;
use crate::isa::{Isa, Op, dispatch};
use crate::vector::{Pointwise, dot, pointwise};

/// `out = x / sqrt(mean(x²) + eps) * gain`, row by row (RMSNorm, Zhang & Sennrich 2019, arXiv:1910.07467).
///
/// `x` and `out` are `[n_tokens, gain.len()]`.
///
/// # Panics
/// If lengths differ or are no whole rows.
pub fn rms_norm(context: &Context, x: &[f32], gain: &[f32], eps: f32, out: &mut [f32]) {
    assert_eq!(x.len(), out.len(), "out has the shape of x");
    assert_eq!(x.len() % gain.len(), 0, "x is whole rows");
    let rows = x
        .chunks_exact(gain.len())
        .zip(out.chunks_exact_mut(gain.len()));
    let run = |(x, out)| dispatch(context.level, RmsNorm { x, gain, eps, out });
    if rows.len() < 8 {
        rows.for_each(run);
    } else {
        context.pool.each(rows, |row, _| run(row));
    }
}

struct RmsNorm<'a> {
    x: &'a [f32],
    gain: &'a [f32],
    eps: f32,
    out: &'a mut [f32],
}

impl Op for RmsNorm<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let mean = dot(isa, self.x, self.x) / self.x.len() as f32;
        let scale = 1.0 / (mean + self.eps).sqrt();
        self.out.copy_from_slice(self.x);
        pointwise(isa, ScaledProduct(scale), self.out, self.gain);
    }
}

/// `a * scale * b`.
#[derive(Clone, Copy)]
struct ScaledProduct(f32);

impl Pointwise for ScaledProduct {
    #[inline(always)]
    fn apply<I: Isa>(self, isa: I, a: I::F32, b: I::F32) -> I::F32 {
        isa.mul(isa.mul(a, isa.splat(self.0)), b)
    }
}
