//! Operations on single elements.

use crate::Context;
use crate::isa::{Isa, LANES, Op, dispatch};
use crate::vector::{Pointwise, exp, padded, pointwise, tanh};

/// Elements worth one claim of a thread.
const CLAIM: usize = 4096;

/// `gate = silu(gate) * up`, with `silu(x) = x / (1 + e^-x)` (SwiGLU, Shazeer 2020, arXiv:2002.05202).
///
/// # Panics
/// If lengths differ.
pub fn silu_mul(context: &Context, gate: &mut [f32], up: &[f32]) {
    zip(context, SiluMul, gate, up);
}

/// `gate = gelu(gate) * up`, with GELU's tanh form (Hendrycks & Gimpel 2016, arXiv:1606.08415; GeGLU,
/// Shazeer 2020): `gelu(x) = x / 2 * (1 + tanh(u))`, `u = sqrt(2 / π) * (x + 0.044715 x³)`.
///
/// Computed as `x / (1 + e^-2u)`, which is the same number and loses nothing to cancellation below 0.
///
/// # Panics
/// If lengths differ.
pub fn gelu_mul(context: &Context, gate: &mut [f32], up: &[f32]) {
    zip(context, GeluMul, gate, up);
}

/// `x = cap * tanh(x / cap)` (Gemma 2, arXiv:2408.00118).
pub fn softcap(context: &Context, x: &mut [f32], cap: f32) {
    if x.len() <= 2 * CLAIM {
        return dispatch(context.level, Softcap { x, cap });
    }
    context.pool.each(x.chunks_mut(CLAIM), |x, _| {
        dispatch(context.level, Softcap { x, cap });
    });
}

/// `x += y`.
///
/// # Panics
/// If lengths differ.
pub fn add(context: &Context, x: &mut [f32], y: &[f32]) {
    zip(context, Add, x, y);
}

/// `x = x * y`.
///
/// # Panics
/// If lengths differ.
pub fn mul(context: &Context, x: &mut [f32], y: &[f32]) {
    zip(context, Mul, x, y);
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
struct GeluMul;

impl Pointwise for GeluMul {
    #[inline(always)]
    fn apply<I: Isa>(self, isa: I, gate: I::F32, up: I::F32) -> I::F32 {
        // -2 sqrt(2 / π), and that times 0.044715.
        const LINEAR: f32 = -1.595_769_2;
        const CUBIC: f32 = -0.071_354_814;
        let square = isa.mul(gate, gate);
        let slope = isa.mul_add(square, isa.splat(CUBIC), isa.splat(LINEAR));
        let decay = exp(isa, isa.mul(gate, slope));
        isa.mul(isa.div(gate, isa.add(isa.splat(1.0), decay)), up)
    }
}

struct Softcap<'a> {
    x: &'a mut [f32],
    cap: f32,
}

impl Op for Softcap<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let cap = isa.splat(self.cap);
        let (whole, rest) = self.x.as_chunks_mut::<LANES>();
        for x in whole {
            isa.store(bounded(isa, isa.load(x), cap), x);
        }
        if !rest.is_empty() {
            let mut x = padded(rest);
            isa.store(bounded(isa, isa.load(&x), cap), &mut x);
            rest.copy_from_slice(&x[..rest.len()]);
        }
    }
}

#[inline(always)]
fn bounded<I: Isa>(isa: I, x: I::F32, cap: I::F32) -> I::F32 {
    isa.mul(tanh(isa, isa.div(x, cap)), cap)
}

#[derive(Clone, Copy)]
struct Add;

impl Pointwise for Add {
    #[inline(always)]
    fn apply<I: Isa>(self, isa: I, a: I::F32, b: I::F32) -> I::F32 {
        isa.add(a, b)
    }
}

#[derive(Clone, Copy)]
struct Mul;

impl Pointwise for Mul {
    #[inline(always)]
    fn apply<I: Isa>(self, isa: I, a: I::F32, b: I::F32) -> I::F32 {
        isa.mul(a, b)
    }
}
