//! Activations to int8: sixteen vectors at a time, so that sums come by turning, not one by one.
//!
//! Soundness: as in `avx512.rs`.

#![allow(
    unsafe_code,
    reason = "part of one of the rooms that may: see ARCHITECTURE.md"
)]
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "the argument above covers every block of this file"
)]

use std::arch::x86_64::*;

/// [`Isa::quantize`](crate::isa::Isa::quantize).
#[inline(always)]
pub(super) fn quantize(x: [__m512; 16], out: &mut [i32; 64]) -> [i32; 16] {
    unsafe {
        let mut fours = [_mm512_setzero_si512(); 4];
        // Packing works within 128 bits: numbers 4i + j come out where i + 4j belong.
        let order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
        let (ones, ones16) = (_mm512_set1_epi8(1), _mm512_set1_epi16(1));
        for v in 0..4 {
            let (a, b) = (
                _mm512_cvtps_epi32(x[4 * v]),
                _mm512_cvtps_epi32(x[4 * v + 1]),
            );
            let (c, d) = (
                _mm512_cvtps_epi32(x[4 * v + 2]),
                _mm512_cvtps_epi32(x[4 * v + 3]),
            );
            let (ab, cd) = (_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));
            let bytes = _mm512_packs_epi16(ab, cd);
            let to = out[16 * v..16 * v + 16].as_mut_ptr();
            _mm512_storeu_si512(to.cast(), _mm512_permutexvar_epi32(order, bytes));
            fours[v] = _mm512_madd_epi16(_mm512_maddubs_epi16(ones, bytes), ones16);
        }
        // Number 4i + j of vector v is a quarter of the sum of x[4v + j].
        let [a, b, c, d] = fours;
        let ab = _mm512_add_epi32(
            _mm512_shuffle_i32x4::<0b01_00_01_00>(a, b),
            _mm512_shuffle_i32x4::<0b11_10_11_10>(a, b),
        );
        let cd = _mm512_add_epi32(
            _mm512_shuffle_i32x4::<0b01_00_01_00>(c, d),
            _mm512_shuffle_i32x4::<0b11_10_11_10>(c, d),
        );
        let all = _mm512_add_epi32(
            _mm512_shuffle_i32x4::<0b10_00_10_00>(ab, cd),
            _mm512_shuffle_i32x4::<0b11_01_11_01>(ab, cd),
        );
        let mut sums = [0; 16];
        _mm512_storeu_si512(sums.as_mut_ptr().cast(), all);
        sums
    }
}
