//! Codebook look-ups by permutations of bytes (VBMI) and 8 x 8 transpositions of bits (GFNI).
//!
//! A pattern's planes of bits are found for 64 indices at a time, four of each row. Planes and signs of two
//! patterns are brought together in a row's eight bytes, a transposition of which has the bits of one weight
//! of each pattern in every byte; a last permutation makes codes of them.
//!
//! Soundness: as in `avx512.rs`; only for a token that has VBMI and GFNI.

#![allow(
    unsafe_code,
    reason = "part of one of the rooms that may: see ARCHITECTURE.md"
)]
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "the argument above covers every block of this file"
)]

use std::arch::x86_64::*;

use crate::quant::codebook::Codebook;

/// Bit `i` in byte `i` of each eight: the affine map of it by a matrix is the matrix, transposed.
const UNIT: i64 = 0x8040_2010_0804_0201_u64 as i64;

/// [`Isa::eights`](crate::isa::Isa::eights), `G` times.
#[inline(always)]
pub(super) fn eights<const N: usize, const G: usize>(
    book: &Codebook<N, 8>,
    index: [__m512i; G],
    more: [__m512i; G],
    signs: [__m512i; G],
) -> [[__m512i; 8]; G] {
    let [low, high] = planes(book, index, more);
    let mut codes = [[index[0]; 8]; G];
    for g in 0..G {
        codes[g] = eight_codes(&book.by_six, low[g], high[g], signs[g]);
    }
    codes
}

/// Codes by both bits of places, and signs.
#[inline(always)]
fn eight_codes(codes: &[[u8; 64]; 2], low: __m512i, high: __m512i, signs: __m512i) -> [__m512i; 8] {
    unsafe {
        let unit = _mm512_set1_epi64(UNIT);
        // Rows 0 and 1 of four, then 2 and 3; of a row eight bytes: s0 s1 s0 s1 l0 l1 h0 h1, and the same of
        // patterns 2 and 3. The first two bytes become upper bits, which the last permutation does not see.
        let (places01, places23) = (
            _mm512_unpacklo_epi16(low, high),
            _mm512_unpackhi_epi16(low, high),
        );
        let (signs01, signs23) = (
            _mm512_unpacklo_epi16(signs, signs),
            _mm512_unpackhi_epi16(signs, signs),
        );
        let turned = transposed([
            _mm512_gf2p8affine_epi64_epi8::<0>(unit, _mm512_unpacklo_epi32(signs01, places01)),
            _mm512_gf2p8affine_epi64_epi8::<0>(unit, _mm512_unpackhi_epi32(signs01, places01)),
            _mm512_gf2p8affine_epi64_epi8::<0>(unit, _mm512_unpacklo_epi32(signs23, places23)),
            _mm512_gf2p8affine_epi64_epi8::<0>(unit, _mm512_unpackhi_epi32(signs23, places23)),
        ]);
        let (first, second) = (load(&codes[0]), load(&codes[1]));
        [
            _mm512_permutexvar_epi8(turned[0], first),
            _mm512_permutexvar_epi8(turned[1], first),
            _mm512_permutexvar_epi8(turned[0], second),
            _mm512_permutexvar_epi8(turned[1], second),
            _mm512_permutexvar_epi8(turned[2], first),
            _mm512_permutexvar_epi8(turned[3], first),
            _mm512_permutexvar_epi8(turned[2], second),
            _mm512_permutexvar_epi8(turned[3], second),
        ]
    }
}

/// [`Isa::fours`](crate::isa::Isa::fours).
#[inline(always)]
pub(super) fn fours<const N: usize>(
    book: &Codebook<N, 4>,
    index: __m512i,
    more: __m512i,
    signs: __m512i,
) -> [__m512i; 4] {
    let [[low], [high]] = planes(book, [index], [more]);
    unsafe {
        // Four sign bits above the four bits of the highest plane.
        let at = _mm512_set1_epi64(0x2824_201c_0804_003c);
        let nibbles = _mm512_multishift_epi64_epi8(at, signs);
        let high = select(_mm512_set1_epi8(0x0f), high, nibbles);
        let unit = _mm512_set1_epi64(UNIT);
        let a = _mm512_gf2p8affine_epi64_epi8::<0>(unit, _mm512_unpacklo_epi32(low, high));
        let b = _mm512_gf2p8affine_epi64_epi8::<0>(unit, _mm512_unpackhi_epi32(low, high));
        // Byte k: bit 0 of the place of weight k in patterns 0 to 3 (bits 7 to 4) and bit 2 (3 to 0); then
        // bit 1 and signs in the same way.
        let (a, b) = (_mm512_castsi512_ps(a), _mm512_castsi512_ps(b));
        let even = _mm512_castps_si512(_mm512_shuffle_ps::<0b10_00_10_00>(a, b));
        let odd = _mm512_castps_si512(_mm512_shuffle_ps::<0b11_01_11_01>(a, b));
        // Bits 5, 4, 1, 0 of a weight of pattern 2 or 3: bit 1, bit 0, sign, bit 2; those of 0 and 1 two higher.
        let mask = _mm512_set1_epi8(0x55);
        let of_02 = select(mask, _mm512_srli_epi16::<1>(even), odd);
        let of_13 = select(mask, even, _mm512_slli_epi16::<1>(odd));
        let codes = load(&book.by_six[0]);
        [
            _mm512_permutexvar_epi8(_mm512_srli_epi16::<2>(of_02), codes),
            _mm512_permutexvar_epi8(_mm512_srli_epi16::<2>(of_13), codes),
            _mm512_permutexvar_epi8(of_02, codes),
            _mm512_permutexvar_epi8(of_13, codes),
        ]
    }
}

/// [`Isa::sevens`](crate::isa::Isa::sevens).
#[inline(always)]
pub(super) fn sevens(a: __m512i) -> __m512i {
    unsafe { _mm512_multishift_epi64_epi8(_mm512_set1_epi64(0x352e_2720_150e_0700), a) }
}

/// [`Isa::even_signs`](crate::isa::Isa::even_signs).
#[inline(always)]
pub(super) fn even_signs(a: __m512i) -> __m512i {
    unsafe {
        // Row 7 - i of the matrix makes bit i: seven times itself, then the sum of the seven.
        let matrix = _mm512_set1_epi64(0x0102_0408_1020_407f);
        _mm512_gf2p8affine_epi64_epi8::<0>(a, matrix)
    }
}

/// Both planes of the patterns: `table[i]` for the `i` whose low eight bits are in `index`, the others in `more`.
#[inline(always)]
fn planes<const N: usize, const L: usize, const G: usize>(
    book: &Codebook<N, L>,
    index: [__m512i; G],
    more: [__m512i; G],
) -> [[__m512i; G]; 2] {
    let [low, high] = &book.planes;
    let (low, high) = (low.as_chunks().0, high.as_chunks().0);
    // Bit 7 of the index: permutations see those below it.
    let mut eighth = [0; G];
    for g in 0..G {
        eighth[g] = unsafe { _mm512_movepi8_mask(index[g]) };
    }
    let mut found = [
        of_256(&low[0], index, eighth),
        of_256(&high[0], index, eighth),
    ];
    for part in 1..N / 256 {
        let here = [
            of_256(&low[part], index, eighth),
            of_256(&high[part], index, eighth),
        ];
        for g in 0..G {
            unsafe {
                let upper = _mm512_and_si512(more[g], _mm512_set1_epi8((N / 256 - 1) as i8));
                let is_here = _mm512_cmpeq_epi8_mask(upper, _mm512_set1_epi8(part as i8));
                for plane in 0..2 {
                    let all = _mm512_mask_blend_epi8(is_here, found[plane][g], here[plane][g]);
                    found[plane][g] = if G > 1 { pinned(all) } else { all };
                }
            }
        }
    }
    found
}

/// `table[i]` for the `i` whose bit 7 is in `eighth` and the others in `index`.
#[inline(always)]
fn of_256<const G: usize>(
    table: &[u8; 256],
    index: [__m512i; G],
    eighth: [__mmask64; G],
) -> [__m512i; G] {
    let [a, b, c, d] = tables(table);
    let mut found = index;
    for g in 0..G {
        unsafe {
            let low = _mm512_permutex2var_epi8(a, index[g], b);
            let high = _mm512_permutex2var_epi8(c, index[g], d);
            found[g] = _mm512_mask_blend_epi8(eighth[g], low, high);
        }
    }
    found
}

/// The same, computed before what comes after: else the second of two indices would be looked up in tables that wait for it
/// on the stack.
#[target_feature(enable = "avx512f")]
#[inline]
unsafe fn pinned(mut a: __m512i) -> __m512i {
    unsafe {
        core::arch::asm!("/* {0} */", inout(zmm_reg) a, options(nomem, nostack, preserves_flags));
    }
    a
}

/// A table's four parts, loaded here and now.
///
/// The compiler would load whole codebooks ahead of the loops around, and keep on the stack what registers cannot hold.
#[inline(always)]
fn tables(table: &[u8; 256]) -> [__m512i; 4] {
    let mut at = table.as_ptr();
    unsafe {
        core::arch::asm!("/* {0} */", inout(reg) at, options(nostack, preserves_flags));
        let at = at.cast::<__m512i>();
        [
            _mm512_loadu_si512(at),
            _mm512_loadu_si512(at.add(1)),
            _mm512_loadu_si512(at.add(2)),
            _mm512_loadu_si512(at.add(3)),
        ]
    }
}

/// Bits of `a` where `mask` has ones, else of `b`.
#[inline(always)]
fn select(mask: __m512i, a: __m512i, b: __m512i) -> __m512i {
    unsafe { _mm512_ternarylogic_epi64::<0xca>(mask, a, b) }
}

#[inline(always)]
fn load(x: &[u8; 64]) -> __m512i {
    unsafe { _mm512_loadu_si512(x.as_ptr().cast()) }
}

/// Four vectors as the rows of a matrix of 32-bit numbers in each 128 bits: transposed.
#[inline(always)]
pub(super) fn transposed(a: [__m512i; 4]) -> [__m512i; 4] {
    unsafe {
        let lo01 = _mm512_unpacklo_epi32(a[0], a[1]);
        let hi01 = _mm512_unpackhi_epi32(a[0], a[1]);
        let lo23 = _mm512_unpacklo_epi32(a[2], a[3]);
        let hi23 = _mm512_unpackhi_epi32(a[2], a[3]);
        [
            _mm512_unpacklo_epi64(lo01, lo23),
            _mm512_unpackhi_epi64(lo01, lo23),
            _mm512_unpacklo_epi64(hi01, hi23),
            _mm512_unpackhi_epi64(hi01, hi23),
        ]
    }
}
