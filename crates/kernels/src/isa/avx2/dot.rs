//! Products of four codes with four int8, on 256 bits: by AVX2 alone, or by VNNI's one instruction.
//!
//! VNNI on 256 bits comes in two encodings of one operation: AVX-VNNI (VEX), and AVX-512 VNNI with VL
//! (EVEX). The level takes the first; a CPU that has only the second is better served by the levels
//! of 512 bits. Built with `--cfg evex_vnni` it takes the second, so that tests can run on those.
//!
//! Soundness: as in `avx2.rs`.

#![allow(
    unsafe_code,
    reason = "part of one of the rooms that may: see ARCHITECTURE.md"
)]
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "the argument above covers every block of this file"
)]

use std::arch::x86_64::*;

/// Whether [`vnni`] may run.
pub(super) fn has_vnni() -> bool {
    #[cfg(not(evex_vnni))]
    return is_x86_feature_detected!("avxvnni");
    #[cfg(evex_vnni)]
    return is_x86_feature_detected!("avx512vnni") && is_x86_feature_detected!("avx512vl");
}

#[cfg(not(evex_vnni))]
use _mm256_dpbusd_avx_epi32 as dpbusd;
#[cfg(evex_vnni)]
use _mm256_dpbusd_epi32 as dpbusd;

/// Half of [`Isa::dot`](super::Isa::dot) by VNNI. Only for a token that has it.
#[inline(always)]
pub(super) fn vnni(acc: __m256i, w: [__m256i; 4], x: [__m256i; 4]) -> __m256i {
    unsafe {
        let acc = dpbusd(dpbusd(acc, w[0], x[0]), w[1], x[1]);
        dpbusd(dpbusd(acc, w[2], x[2]), w[3], x[3])
    }
}

/// Products of codes and int8, summed in pairs. With `MAX` over 127 codes go in as `code - 128`:
/// maddubs would saturate, so it takes |code - 128| and x gets its sign.
#[inline(always)]
fn pairs<const MAX: u8>(w: __m256i, x: __m256i) -> __m256i {
    unsafe {
        if MAX <= 127 {
            return _mm256_maddubs_epi16(w, x);
        }
        let signed = _mm256_xor_si256(w, _mm256_set1_epi8(-128));
        _mm256_maddubs_epi16(_mm256_abs_epi8(signed), _mm256_sign_epi8(x, signed))
    }
}

/// [`Isa::dot`](super::Isa::dot) by AVX2 alone, for codes so small that there is room in 16 bits for more than one
/// pair. Four numbers after another, both halves of each: registers are few.
#[inline(always)]
pub(super) fn small<const MAX: u8>(
    acc: [__m256i; 2],
    w: [[__m256i; 2]; 4],
    x: &[i32; 4],
) -> [__m256i; 2] {
    unsafe {
        let ones = _mm256_set1_epi16(1);
        let [mut a, mut b] = acc;
        let together = if MAX <= 31 { 4 } else { 2 };
        let (mut c, mut d) = (_mm256_setzero_si256(), _mm256_setzero_si256());
        for q in 0..4 {
            let x = _mm256_set1_epi32(x[q]);
            let (p, r) = (pairs::<MAX>(w[q][0], x), pairs::<MAX>(w[q][1], x));
            (c, d) = if q % together == 0 {
                (p, r)
            } else {
                (_mm256_add_epi16(c, p), _mm256_add_epi16(d, r))
            };
            if (q + 1) % together == 0 {
                a = _mm256_add_epi32(a, _mm256_madd_epi16(c, ones));
                b = _mm256_add_epi32(b, _mm256_madd_epi16(d, ones));
            }
        }
        [a, b]
    }
}

/// Half of [`Isa::dot`](super::Isa::dot) by AVX2 alone, for codes over 63.
#[inline(always)]
pub(super) fn large<const MAX: u8>(acc: __m256i, w: [__m256i; 4], x: [__m256i; 4]) -> __m256i {
    unsafe {
        let (p0, p1) = (pairs::<MAX>(w[0], x[0]), pairs::<MAX>(w[1], x[1]));
        let (p2, p3) = (pairs::<MAX>(w[2], x[2]), pairs::<MAX>(w[3], x[3]));
        let ones = _mm256_set1_epi16(1);
        let (s0, s1) = (_mm256_madd_epi16(p0, ones), _mm256_madd_epi16(p1, ones));
        let (s2, s3) = (_mm256_madd_epi16(p2, ones), _mm256_madd_epi16(p3, ones));
        let (a, b) = (_mm256_add_epi32(s0, s1), _mm256_add_epi32(s2, s3));
        _mm256_add_epi32(acc, _mm256_add_epi32(a, b))
    }
}

/// Half of [`Isa::dot_four`](super::Isa::dot_four). `VNNI` only for a token that has it.
#[inline(always)]
pub(super) fn four<const VNNI: bool, const MAX: u8>(
    acc: __m256i,
    w: __m256i,
    x: __m256i,
) -> __m256i {
    unsafe {
        if VNNI {
            return dpbusd(acc, w, x);
        }
        let sums = _mm256_madd_epi16(pairs::<MAX>(w, x), _mm256_set1_epi16(1));
        _mm256_add_epi32(acc, sums)
    }
}
