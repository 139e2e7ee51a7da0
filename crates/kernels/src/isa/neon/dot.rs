//! Products of sixteen codes with sixteen int8 on NEON, in three ways.
//!
//! - `NONE`: widening products, as many as 16 bits hold, then sums of pairs.
//! - `DOTPROD`: `sdot`, which takes both sides signed.
//! - `I8MM`: `usdot`, which takes codes unsigned.
//!
//! In the first two codes above 127 go in as `code - 128`. The dot products are assembly, because
//! their intrinsics are not stable; the directive lets them assemble in functions of any features.
//!
//! Soundness: no memory is touched. The instructions exist where the token that calls says so.

#![allow(
    unsafe_code,
    reason = "part of one of the rooms that may: see ARCHITECTURE.md"
)]

use std::arch::aarch64::*;
use std::arch::asm;

pub(super) const NONE: u8 = 0;
pub(super) const DOTPROD: u8 = 1;
pub(super) const I8MM: u8 = 2;

/// `acc[i] += w[q][4i..4i+4] · x[4q..4q+4]` for all four `q`: a quarter of [`Isa::dot`](super::Isa::dot).
///
/// # Safety
/// The CPU has what `DOT` names.
#[inline(always)]
pub(super) unsafe fn quarter<const DOT: u8, const MAX: u8>(
    acc: int32x4_t,
    w: [uint8x16_t; 4],
    x: int8x16_t,
) -> int32x4_t {
    // SAFETY: the caller's promise.
    unsafe {
        if DOT == I8MM {
            let acc = usdot::<0>(usdot::<1>(acc, w[1], x), w[0], x);
            return usdot::<2>(usdot::<3>(acc, w[3], x), w[2], x);
        }
        let w = [
            signed::<MAX>(w[0]),
            signed::<MAX>(w[1]),
            signed::<MAX>(w[2]),
            signed::<MAX>(w[3]),
        ];
        if DOT == DOTPROD {
            let acc = sdot::<0>(sdot::<1>(acc, w[1], x), w[0], x);
            return sdot::<2>(sdot::<3>(acc, w[3], x), w[2], x);
        }
        pairwise::<MAX>(acc, w, x)
    }
}

/// Codes as int8: themselves up to 127, else `code - 128`.
#[inline(always)]
fn signed<const MAX: u8>(w: uint8x16_t) -> int8x16_t {
    // SAFETY: part of NEON.
    unsafe {
        if MAX <= 127 {
            return vreinterpretq_s8_u8(w);
        }
        vreinterpretq_s8_u8(veorq_u8(w, vdupq_n_u8(128)))
    }
}

macro_rules! dot_by_lane {
    ($(#[$doc:meta])* $name:ident: $codes:ty, $extension:literal) => {
        $(#[$doc])*
        #[inline(always)]
        unsafe fn $name<const Q: usize>(
            mut acc: int32x4_t,
            w: $codes,
            x: int8x16_t,
        ) -> int32x4_t {
            // SAFETY: the caller's promise.
            unsafe {
                asm!(
                    concat!(".arch_extension ", $extension),
                    concat!(stringify!($name), " {acc:v}.4s, {w:v}.16b, {x:v}.4b[{q}]"),
                    acc = inout(vreg) acc,
                    w = in(vreg) w,
                    x = in(vreg) x,
                    q = const Q,
                    options(pure, nomem, nostack, preserves_flags),
                );
            }
            acc
        }
    };
}

dot_by_lane! {
    /// # Safety
    /// The CPU has dotprod.
    sdot: int8x16_t, "dotprod"
}
dot_by_lane! {
    /// # Safety
    /// The CPU has i8mm.
    usdot: uint8x16_t, "i8mm"
}

/// Products in 16 bits. Of codes up to 31 four fit and a pair of such sums too, of codes up to 63 two.
#[inline(always)]
fn pairwise<const MAX: u8>(acc: int32x4_t, w: [int8x16_t; 4], x: int8x16_t) -> int32x4_t {
    // SAFETY: part of NEON.
    unsafe {
        let words = vreinterpretq_s32_s8(x);
        let x = [
            vreinterpretq_s8_s32(vdupq_laneq_s32::<0>(words)),
            vreinterpretq_s8_s32(vdupq_laneq_s32::<1>(words)),
            vreinterpretq_s8_s32(vdupq_laneq_s32::<2>(words)),
            vreinterpretq_s8_s32(vdupq_laneq_s32::<3>(words)),
        ];
        if MAX <= 31 {
            let sum = add_products(products(w[0], x[0]), w[1], x[1]);
            let sum = add_products(add_products(sum, w[2], x[2]), w[3], x[3]);
            return vpadalq_s16(acc, vpaddq_s16(sum[0], sum[1]));
        }
        if MAX <= 63 {
            let sum01 = add_products(products(w[0], x[0]), w[1], x[1]);
            let sum23 = add_products(products(w[2], x[2]), w[3], x[3]);
            let acc = vpadalq_s16(acc, vpaddq_s16(sum01[0], sum01[1]));
            return vpadalq_s16(acc, vpaddq_s16(sum23[0], sum23[1]));
        }
        let mut acc = acc;
        for q in 0..4 {
            let product = products(w[q], x[q]);
            acc = vpadalq_s16(acc, vpaddq_s16(product[0], product[1]));
        }
        acc
    }
}

#[inline(always)]
fn products(w: int8x16_t, x: int8x16_t) -> [int16x8_t; 2] {
    // SAFETY: part of NEON.
    unsafe {
        [
            vmull_s8(vget_low_s8(w), vget_low_s8(x)),
            vmull_high_s8(w, x),
        ]
    }
}

#[inline(always)]
fn add_products(sum: [int16x8_t; 2], w: int8x16_t, x: int8x16_t) -> [int16x8_t; 2] {
    // SAFETY: part of NEON.
    unsafe {
        [
            vmlal_s8(sum[0], vget_low_s8(w), vget_low_s8(x)),
            vmlal_high_s8(sum[1], w, x),
        ]
    }
}
