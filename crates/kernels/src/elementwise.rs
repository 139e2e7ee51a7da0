//! Operations on single elements.

use crate::Context;
use crate::isa::{Isa, Op, dispatch};
use crate::vector::{Pointwise, exp, pointwise};

/// Elements worth one claim of a thread.
const CLAIM: usize = 4096;

/// `gate = silu(gate) * up`, with `silu(x) = x / (1 + e^-x)` (SwiGLU, Shazeer 2020, arXiv:2002.05202).
///
/// # Panics
/// If lengths differ.
pub fn silu_mul(context: &Context, gate: &mut [f32], up: &[f32]) {
    zip(context, SiluMul, gate, up);
}

/// `x += y`.
///
/// # Panics
/// If lengths differ.
pub fn add(context: &Context, x: &mut [f32], y: &[f32]) {
    zip(context, Add, x, y);
}

fn zip<P: Pointwise + Sync>(context: &Context, f: P, x: &mut [f32], y: &[f32]) {
    assert_eq!(x.len(), y.len(), "both have one shape");
    if x.len() <= 2 * CLAIM {
        return dispatch(context.level, Zip { f, x, y });
    }
    let pieces = x.chunks_mut(CLAIM).zip(y.chunks(CLAIM));
    context
        .pool
        .each(pieces, |(x, y), _| dispatch(context.level, Zip { f, x, y }));
}

struct Zip<'a, P> {
    f: P,
    x: &'a mut [f32],
    y: &'a [f32],
}

impl<P: Pointwise> Op for Zip<'_, P> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        pointwise(isa, self.f, self.x, self.y);
    }
}

#[derive(Clone, Copy)]
struct SiluMul;

impl Pointwise for SiluMul {
    #[inline(always)]
    fn apply<I: Isa>(self, isa: I, gate: I::F32, up: I::F32) -> I::F32 {
        let decay = exp(isa, isa.sub(isa.splat(0.0), gate));
        isa.mul(isa.div(gate, isa.add(isa.splat(1.0), decay)), up)
    }
}

#[derive(Clone, Copy)]
struct Add;

impl Pointwise for Add {
    #[inline(always)]
    fn apply<I: Isa>(self, isa: I, a: I::F32, b: I::F32) -> I::F32 {
        isa.add(a, b)
    }
}
