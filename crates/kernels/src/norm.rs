//! Normalisation of rows.

use crate::Context;
use crate::isa::{Isa, LANES, Op, dispatch};
use crate::vector::{dot, padded};

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
        let (x, x_rest) = self.x.as_chunks::<LANES>();
        let (gain, gain_rest) = self.gain.as_chunks::<LANES>();
        let (out, out_rest) = self.out.as_chunks_mut::<LANES>();
        for i in 0..out.len() {
            isa.store(scaled(isa, &x[i], scale, &gain[i]), &mut out[i]);
        }
        if !out_rest.is_empty() {
            let mut last = [0.0; LANES];
            let product = scaled(isa, &padded(x_rest), scale, &padded(gain_rest));
            isa.store(product, &mut last);
            out_rest.copy_from_slice(&last[..out_rest.len()]);
        }
    }
}

/// `x * scale * gain`.
#[inline(always)]
fn scaled<I: Isa>(isa: I, x: &[f32; LANES], scale: f32, gain: &[f32; LANES]) -> I::F32 {
    isa.mul(isa.mul(isa.load(x), isa.splat(scale)), isa.load(gain))
}
