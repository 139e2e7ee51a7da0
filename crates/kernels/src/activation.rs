//! Pointwise functions of feed-forward networks, alone and on a gate.

use crate::Context;
use crate::isa::{Isa, LANES, Op, dispatch};
use crate::vector::{exp, padded, tanh};

/// Elements worth one claim of a thread.
const CLAIM: usize = 4096;

/// A pointwise function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// `x / (1 + e^-x)`.
    Silu,
    /// GELU in its tanh form: `x / 2 * (1 + tanh(sqrt(2 / π) * (x + 0.044715 x³)))`.
    GeluTanh,
    /// GELU: `x / 2 * (1 + erf(x / sqrt 2))` (Hendrycks & Gimpel 2016, arXiv:1606.08415).
    Gelu,
    /// `max(x, 0)`.
    Relu,
    /// `max(x, 0)²` (So et al. 2021, arXiv:2109.08668).
    ReluSquared,
    /// On a gate only: `g / (1 + e^(-alpha g)) * (u + 1)` with `g = min(gate, limit)` and `u` within `±limit`
    /// (gpt-oss, arXiv:2508.10925).
    ClampedSwiglu {
        /// Steepness.
        alpha: f32,
        /// Bound.
        limit: f32,
    },
    /// `1 / (1 + e^-x)`.
    Sigmoid,
    /// `ln(1 + e^x)`.
    Softplus,
    /// `e^x`.
    Exp,
    /// `tanh x`.
    Tanh,
}

/// `x = f(x)`.
pub fn activate(context: &Context, f: Activation, x: &mut [f32]) {
    run(context, f, x, &[]);
}

/// `gate = f(gate) * up`.
///
/// # Panics
/// If lengths differ.
pub fn activate_gate(context: &Context, f: Activation, gate: &mut [f32], up: &[f32]) {
    match f {
        Activation::Silu => crate::silu_mul(context, gate, up),
        Activation::GeluTanh => crate::gelu_mul(context, gate, up),
        _ => {
            assert_eq!(gate.len(), up.len(), "both have one shape");
            run(context, f, gate, up);
        }
    }
}

/// `x = x * factor`.
pub fn scale(context: &Context, x: &mut [f32], factor: f32) {
    each(context, x, &[], Scale(factor));
}

/// `x = min(max(x, -bound), bound)`.
pub fn clamp(context: &Context, x: &mut [f32], bound: f32) {
    each(context, x, &[], Clamp(bound));
}

/// One loop for each function: a loop that holds them all is too large for the compiler to inline intrinsics into.
fn run(context: &Context, f: Activation, x: &mut [f32], up: &[f32]) {
    match f {
        Activation::Silu => each(context, x, up, Silu),
        Activation::GeluTanh => each(context, x, up, GeluTanh),
        Activation::Gelu => each(context, x, up, Gelu),
        Activation::Relu => each(context, x, up, Relu),
        Activation::ReluSquared => each(context, x, up, ReluSquared),
        Activation::ClampedSwiglu { alpha, limit } => {
            each(context, x, up, ClampedSwiglu { alpha, limit });
        }
        Activation::Sigmoid => each(context, x, up, Sigmoid),
        Activation::Softplus => each(context, x, up, Softplus),
        Activation::Exp => each(context, x, up, Exp),
        Activation::Tanh => each(context, x, up, Tanh),
    }
}

/// A function of one vector, or of a gate and what it lets through.
trait Unary: Copy + Sync {
    fn apply<I: Isa>(self, isa: I, x: I::F32) -> I::F32;

    #[inline(always)]
    fn gate<I: Isa>(self, isa: I, x: I::F32, up: I::F32) -> I::F32 {
        isa.mul(self.apply(isa, x), up)
    }
}

fn each(context: &Context, x: &mut [f32], up: &[f32], f: impl Unary) {
    if x.len() <= 2 * CLAIM {
        return dispatch(context.level, Each { x, up, f });
    }
    let pieces = x.chunks_mut(CLAIM).enumerate();
    context.pool.each(pieces, |(i, x), _| {
        let up = if up.is_empty() {
            up
        } else {
            &up[i * CLAIM..][..x.len()]
        };
        dispatch(context.level, Each { x, up, f });
    });
}

struct Each<'a, F> {
    x: &'a mut [f32],
    up: &'a [f32],
    f: F,
}

impl<F: Unary> Op for Each<'_, F> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let len = self.x.len();
        let mut i = 0;
        while i < len {
            let n = (len - i).min(LANES);
            let mut x = padded(&self.x[i..i + n]);
            let y = isa.load(&x);
            let y = if self.up.is_empty() {
                self.f.apply(isa, y)
            } else {
                self.f.gate(isa, y, isa.load(&padded(&self.up[i..i + n])))
            };
            isa.store(y, &mut x);
            self.x[i..i + n].copy_from_slice(&x[..n]);
            i += n;
        }
    }
}

#[derive(Clone, Copy)]
struct Silu;

impl Unary for Silu {
    #[inline(always)]
    fn apply<I: Isa>(self, isa: I, x: I::F32) -> I::F32 {
        sigmoid_times(isa, x, x)
    }
}

#[derive(Clone, Copy)]
struct Sigmoid;

impl Unary for Sigmoid {
    #[inline(always)]
    fn apply<I: Isa>(self, isa: I, x: I::F32) -> I::F32 {
        sigmoid_times(isa, x, isa.splat(1.0))
    }
}

/// `max(x, 0) + ln(1 + z)` with `z = e^-|x|`, and `ln(1 + z) = 2 atanh(z / (2 + z))` by its series: the argument is a
/// third at most, so that seven terms are enough.
#[derive(Clone, Copy)]
struct Softplus;

impl Unary for Softplus {
    #[inline(always)]
    fn apply<I: Isa>(self, isa: I, x: I::F32) -> I::F32 {
        let zero = isa.splat(0.0);
        let z = exp(isa, isa.sub(zero, isa.abs(x)));
        let s = isa.div(z, isa.add(isa.splat(2.0), z));
        let square = isa.mul(s, s);
        let mut p = isa.splat(2.0 / 13.0);
        for c in [2.0 / 11.0, 2.0 / 9.0, 2.0 / 7.0, 2.0 / 5.0, 2.0 / 3.0, 2.0] {
            p = isa.mul_add(p, square, isa.splat(c));
        }
        isa.mul_add(p, s, isa.max(x, zero))
    }
}

#[derive(Clone, Copy)]
struct Exp;

impl Unary for Exp {
    #[inline(always)]
    fn apply<I: Isa>(self, isa: I, x: I::F32) -> I::F32 {
        exp(isa, x)
    }
}

#[derive(Clone, Copy)]
struct Tanh;

impl Unary for Tanh {
    #[inline(always)]
    fn apply<I: Isa>(self, isa: I, x: I::F32) -> I::F32 {
        tanh(isa, x)
    }
}

#[derive(Clone, Copy)]
struct GeluTanh;

impl Unary for GeluTanh {
    #[inline(always)]
    fn apply<I: Isa>(self, isa: I, x: I::F32) -> I::F32 {
        // 2 sqrt(2 / π), and that times 0.044715.
        let square = isa.mul(x, x);
        let slope = isa.mul_add(square, isa.splat(0.071_354_814), isa.splat(1.595_769_2));
        sigmoid_times(isa, isa.mul(x, slope), x)
    }
}

#[derive(Clone, Copy)]
struct Relu;

impl Unary for Relu {
    #[inline(always)]
    fn apply<I: Isa>(self, isa: I, x: I::F32) -> I::F32 {
        isa.max(x, isa.splat(0.0))
    }
}

#[derive(Clone, Copy)]
struct ReluSquared;

impl Unary for ReluSquared {
    #[inline(always)]
    fn apply<I: Isa>(self, isa: I, x: I::F32) -> I::F32 {
        let x = isa.max(x, isa.splat(0.0));
        isa.mul(x, x)
    }
}

#[derive(Clone, Copy)]
struct ClampedSwiglu {
    alpha: f32,
    limit: f32,
}

impl Unary for ClampedSwiglu {
    #[inline(always)]
    fn apply<I: Isa>(self, isa: I, x: I::F32) -> I::F32 {
        let x = isa.min(x, isa.splat(self.limit));
        sigmoid_times(isa, isa.mul(x, isa.splat(self.alpha)), x)
    }

    #[inline(always)]
    fn gate<I: Isa>(self, isa: I, x: I::F32, up: I::F32) -> I::F32 {
        let bound = isa.splat(self.limit);
        let up = isa.min(isa.max(up, isa.splat(-self.limit)), bound);
        isa.mul(self.apply(isa, x), isa.add(up, isa.splat(1.0)))
    }
}

/// `y / (1 + e^-x)`.
#[inline(always)]
fn sigmoid_times<I: Isa>(isa: I, x: I::F32, y: I::F32) -> I::F32 {
    let decay = exp(isa, isa.sub(isa.splat(0.0), x));
    isa.div(y, isa.add(isa.splat(1.0), decay))
}

/// `x / 2 * (1 + erf(x / sqrt 2))`, by Abramowitz & Stegun 7.1.26: `erfc(z) = t p(t) e^(-z²)` with
/// `t = 1 / (1 + 0.3275911 z)` for `z >= 0`, to 1.5e-7. Written with `erfc`, nothing cancels below 0.
#[derive(Clone, Copy)]
struct Gelu;

impl Unary for Gelu {
    #[inline(always)]
    fn apply<I: Isa>(self, isa: I, x: I::F32) -> I::F32 {
        let zero = isa.splat(0.0);
        let positive = isa.max(x, zero);
        let size = isa.max(x, isa.sub(zero, x));
        let z = isa.mul(size, isa.splat(std::f32::consts::FRAC_1_SQRT_2));
        let t = isa.div(
            isa.splat(1.0),
            isa.mul_add(z, isa.splat(0.327_591_1), isa.splat(1.0)),
        );
        let mut p = isa.splat(1.061_405_4);
        for c in [-1.453_152_1, 1.421_413_8, -0.284_496_72, 0.254_829_6] {
            p = isa.mul_add(p, t, isa.splat(c));
        }
        let tail = isa.mul(isa.mul(p, t), exp(isa, isa.sub(zero, isa.mul(z, z))));
        // x Φ(x) = max(x, 0) - |x| erfc(|x| / sqrt 2) / 2 on either side.
        isa.sub(positive, isa.mul(isa.mul(size, isa.splat(0.5)), tail))
    }
}

#[derive(Clone, Copy)]
struct Scale(f32);

impl Unary for Scale {
    #[inline(always)]
    fn apply<I: Isa>(self, isa: I, x: I::F32) -> I::F32 {
        isa.mul(x, isa.splat(self.0))
    }
}

#[derive(Clone, Copy)]
struct Clamp(f32);

impl Unary for Clamp {
    #[inline(always)]
    fn apply<I: Isa>(self, isa: I, x: I::F32) -> I::F32 {
        isa.min(isa.max(x, isa.splat(-self.0)), isa.splat(self.0))
    }
}
