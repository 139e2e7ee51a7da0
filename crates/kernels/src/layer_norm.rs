//! LayerNorm of rows.

use crate::Context;
use crate::isa::{Isa, LANES, Op, dispatch};
use crate::vector::{Pointwise, dot, padded, pointwise};

/// `out = (x - mean) / sqrt(variance + eps) * gain + bias`, row by row (LayerNorm, Ba et al. 2016,
/// arXiv:1607.06450); no bias if it is empty.
///
/// `x` and `out` are `[n_tokens, gain.len()]`.
///
/// # Panics
/// If lengths differ or are no whole rows.
pub fn layer_norm(
    context: &Context,
    x: &[f32],
    gain: &[f32],
    bias: &[f32],
    eps: f32,
    out: &mut [f32],
) {
    assert_eq!(x.len(), out.len(), "out has the shape of x");
    assert_eq!(x.len() % gain.len(), 0, "x is whole rows");
    assert!(bias.is_empty() || bias.len() == gain.len(), "one bias each");
    let rows = x
        .chunks_exact(gain.len())
        .zip(out.chunks_exact_mut(gain.len()));
    let run = |(x, out)| {
        let op = LayerNorm {
            x,
            gain,
            bias,
            eps,
            out,
        };
        dispatch(context.level, op);
    };
    if rows.len() < 8 {
        rows.for_each(run);
    } else {
        context.pool.each(rows, |row, _| run(row));
    }
}

struct LayerNorm<'a> {
    x: &'a [f32],
    gain: &'a [f32],
    bias: &'a [f32],
    eps: f32,
    out: &'a mut [f32],
}

impl Op for LayerNorm<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let len = self.x.len() as f32;
        self.out.copy_from_slice(self.x);
        pointwise(isa, Minus(mean(isa, self.x)), self.out, self.gain);
        let scale = 1.0 / (dot(isa, self.out, self.out) / len + self.eps).sqrt();
        pointwise(isa, ScaledProduct(scale), self.out, self.gain);
        if !self.bias.is_empty() {
            pointwise(isa, Sum, self.out, self.bias);
        }
    }
}

#[inline(always)]
fn mean<I: Isa>(isa: I, x: &[f32]) -> f32 {
    let (whole, rest) = x.as_chunks::<LANES>();
    let mut acc = isa.load(&padded(rest));
    for x in whole {
        acc = isa.add(acc, isa.load(x));
    }
    isa.sum(acc) / x.len() as f32
}

/// `a - mean`.
#[derive(Clone, Copy)]
struct Minus(f32);

impl Pointwise for Minus {
    #[inline(always)]
    fn apply<I: Isa>(self, isa: I, a: I::F32, _: I::F32) -> I::F32 {
        isa.sub(a, isa.splat(self.0))
    }
}

/// `a + b`.
#[derive(Clone, Copy)]
struct Sum;

impl Pointwise for Sum {
    #[inline(always)]
    fn apply<I: Isa>(self, isa: I, a: I::F32, b: I::F32) -> I::F32 {
        isa.add(a, b)
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
