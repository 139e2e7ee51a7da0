//! Operations on single elements.

use crate::Context;
use crate::isa::{Isa, Op, dispatch};
use crate::vector::{exp, map2};

/// Elements worth one claim of a thread.
const CLAIM: usize = 4096;

/// `gate = silu(gate) * up`, with `silu(x) = x / (1 + e^-x)` (SwiGLU, Shazeer 2020, arXiv:2002.05202).
///
/// # Panics
/// If lengths differ.
pub fn silu_mul(context: &Context, gate: &mut [f32], up: &[f32]) {
    zip(context, gate, up, |gate, up| {
        dispatch(context.level, SiluMul { gate, up })
    });
}

/// `x += y`.
///
/// # Panics
/// If lengths differ.
pub fn add(context: &Context, x: &mut [f32], y: &[f32]) {
    zip(context, x, y, |x, y| dispatch(context.level, Add { x, y }));
}

fn zip(context: &Context, x: &mut [f32], y: &[f32], f: impl Fn(&mut [f32], &[f32]) + Sync) {
    assert_eq!(x.len(), y.len(), "both have one shape");
    if x.len() <= 2 * CLAIM {
        return f(x, y);
    }
    context
        .pool
        .each(x.chunks_mut(CLAIM).zip(y.chunks(CLAIM)), |(x, y), _| {
            f(x, y)
        });
}

struct SiluMul<'a> {
    gate: &'a mut [f32],
    up: &'a [f32],
}

impl Op for SiluMul<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let one = isa.splat(1.0);
        map2(isa, self.gate, self.up, |gate, up| {
            let decay = exp(isa, isa.sub(isa.splat(0.0), gate));
            isa.mul(isa.div(gate, isa.add(one, decay)), up)
        });
    }
}

struct Add<'a> {
    x: &'a mut [f32],
    y: &'a [f32],
}

impl Op for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        map2(isa, self.x, self.y, |x, y| isa.add(x, y));
    }
}
