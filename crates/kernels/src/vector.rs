//! Vector functions built from [`Isa`]: the exponential, and loops over slices.

use crate::isa::{Isa, LANES};

/// `e^x` for any x: 0 far below, infinite never (inputs above 88 count as 88).
///
/// Cody-Waite reduction to |r| <= ln 2 / 2 and a polynomial of degree 6 (Taylor's, as its last term is
/// below half a unit there); the error is below 2 units in the last place, see the tests.
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

/// Calls `f` with 16 lanes at a time and stores what it gives; the rest goes through a padded copy.
#[inline(always)]
pub(crate) fn map2<I: Isa>(isa: I, a: &mut [f32], b: &[f32], f: impl Fn(I::F32, I::F32) -> I::F32) {
    debug_assert_eq!(a.len(), b.len());
    let (a, a_rest) = a.as_chunks_mut::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a.iter_mut().zip(b) {
        isa.store(f(isa.load(a), isa.load(b)), a);
    }
    if !a_rest.is_empty() {
        let (mut x, mut y) = ([0.0; LANES], [0.0; LANES]);
        x[..a_rest.len()].copy_from_slice(a_rest);
        y[..b_rest.len()].copy_from_slice(b_rest);
        isa.store(f(isa.load(&x), isa.load(&y)), &mut x);
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
        let (mut x, mut y) = ([0.0; LANES], [0.0; LANES]);
        x[..a_rest.len()].copy_from_slice(a_rest);
        y[..b_rest.len()].copy_from_slice(b_rest);
        acc = isa.mul_add(isa.load(&x), isa.load(&y), acc);
    }
    isa.sum(acc)
}
