//! Vector functions built from [`Isa`]: the exponential, and loops over slices.
//!
//! Here and wherever vectors are in hand, closures are avoided: one that grows past the compiler's
//! taste is not inlined, and then its vectors go through memory, call by call. Traits with
//! `#[inline(always)]` methods do the same work and always end up in the right function.

use crate::isa::{Isa, LANES};

/// `e^x` for any x: 0 far below, infinite never (inputs above 88 count as 88).
///
/// Cody-Waite reduction to |r| <= ln 2 / 2 and a polynomial of degree 6 (Taylor's, as its last term is
/// below half a unit there); the error is below 2 units in the last place.
#[inline(always)]
pub(crate) fn exp<I: Isa>(isa: I, x: I::F32) -> I::F32 {
    const LOWEST: f32 = -87.0;
    let clamped = isa.min(isa.max(x, isa.splat(LOWEST)), isa.splat(88.0));
    let n = isa.round(isa.mul(clamped, isa.splat(std::f32::consts::LOG2_E)));
    // ln 2 in two parts: the first has few enough bits that n times it is exact.
    let r = isa.mul_add(n, isa.splat(-0.693_359_4), clamped);
    let r = isa.mul_add(n, isa.splat(2.121_944_4e-4), r);
    let mut p = isa.splat(1.0 / 720.0);
    for c in [1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        p = isa.mul_add(p, r, isa.splat(c));
    }
    isa.keep_ge(x, LOWEST, isa.mul(p, isa.exp2_int(n)))
}

/// `2^x` for x <= 0: 0 below -126, where f32 ends.
///
/// As [`exp`], but the reduction is exact: softmax keeps its scores in units of `ln 2` for this.
#[inline(always)]
pub(crate) fn exp2<I: Isa>(isa: I, x: I::F32) -> I::F32 {
    const LOWEST: f32 = -126.0;
    let clamped = isa.max(x, isa.splat(LOWEST));
    let n = isa.round(clamped);
    let r = isa.sub(clamped, n);
    // ln 2^k / k!
    let mut p = isa.splat(1.540_353e-4);
    for c in [
        1.333_355_8e-3,
        9.618_129e-3,
        5.550_411e-2,
        2.402_265e-1,
        std::f32::consts::LN_2,
        1.0,
    ] {
        p = isa.mul_add(p, r, isa.splat(c));
    }
    isa.keep_ge(x, LOWEST, isa.mul(p, isa.exp2_int(n)))
}

/// `tanh x = m / (m + 2)` with `m = e^2x - 1`, for any x.
///
/// The reduction and the polynomial of [`exp`] without its first term, so that nothing cancels near 0;
/// the error is a few units in the last place. Beyond 10 the result is 1 in f32.
#[inline(always)]
pub(crate) fn tanh<I: Isa>(isa: I, x: I::F32) -> I::F32 {
    let twice = isa.mul(isa.splat(2.0), x);
    let clamped = isa.min(isa.max(twice, isa.splat(-20.0)), isa.splat(20.0));
    let n = isa.round(isa.mul(clamped, isa.splat(std::f32::consts::LOG2_E)));
    let r = isa.mul_add(n, isa.splat(-0.693_359_4), clamped);
    let r = isa.mul_add(n, isa.splat(2.121_944_4e-4), r);
    let mut p = isa.splat(1.0 / 720.0);
    for c in [1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0] {
        p = isa.mul_add(p, r, isa.splat(c));
    }
    // e^2x - 1 = 2^n (e^r - 1) + (2^n - 1), and the last difference is exact or does not matter.
    let power = isa.exp2_int(n);
    let m = isa.mul_add(power, isa.mul(p, r), isa.sub(power, isa.splat(1.0)));
    isa.div(m, isa.add(m, isa.splat(2.0)))
}

/// A function of two vectors.
pub(crate) trait Pointwise: Copy {
    fn apply<I: Isa>(self, isa: I, a: I::F32, b: I::F32) -> I::F32;
}

/// How far ahead elements are asked for.
const AHEAD: usize = 32 * LANES;

/// `a = f(a, b)` lane by lane; what is left of 16 goes through a padded copy.
#[inline(always)]
pub(crate) fn pointwise<I: Isa>(isa: I, f: impl Pointwise, a: &mut [f32], b: &[f32]) {
    debug_assert_eq!(a.len(), b.len());
    let (a, a_rest) = a.as_chunks_mut::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a.iter_mut().zip(b) {
        // Another core has these lines, or none: ask early.
        isa.prefetch(a, AHEAD);
        isa.prefetch(b, AHEAD);
        isa.store(f.apply(isa, isa.load(a), isa.load(b)), a);
    }
    if !a_rest.is_empty() {
        let (mut x, y) = (padded(a_rest), padded(b_rest));
        isa.store(f.apply(isa, isa.load(&x), isa.load(&y)), &mut x);
        a_rest.copy_from_slice(&x[..a_rest.len()]);
    }
}

/// `Σ a[i] * b[i]`: 16 lanes of fused multiply-adds, then the fixed tree; a tail is padded with zeros.
#[inline(always)]
pub(crate) fn dot<I: Isa>(isa: I, a: &[f32], b: &[f32]) -> f32 {
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    let mut acc = isa.splat(0.0);
    for (a, b) in a.iter().zip(b) {
        acc = isa.mul_add(isa.load(a), isa.load(b), acc);
    }
    if !a_rest.is_empty() {
        acc = isa.mul_add(isa.load(&padded(a_rest)), isa.load(&padded(b_rest)), acc);
    }
    isa.sum(acc)
}

/// Up to 16 numbers, then zeros.
#[inline(always)]
pub(crate) fn padded(x: &[f32]) -> [f32; LANES] {
    // A copy of unknown length is a call.
    if let Some(whole) = x.first_chunk() {
        return *whole;
    }
    let mut lanes = [0.0; LANES];
    lanes[..x.len()].copy_from_slice(x);
    lanes
}
