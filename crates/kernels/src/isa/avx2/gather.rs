//! Look-ups in a table of eight bytes, 16 at a time, by plain loads.
//!
//! Two gathers of four bytes take longer on a Zen 4 (one token of IQ2 and IQ1 1.2 to 1.4 times as fast this way);
//! one gather of four bytes does not.
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

/// [`Isa::gather8`](super::Isa::gather8).
#[inline(always)]
pub(super) fn eights<const N: usize>(table: &[[i8; 8]; N], at: &[i32; 16]) -> [[__m256i; 2]; 2] {
    const { assert!(N.is_power_of_two()) };
    let [a, b] = eight_rows(table, at[..8].first_chunk().expect("eight"));
    let [c, d] = eight_rows(table, at[8..].first_chunk().expect("eight"));
    [[a, c], [b, d]]
}

/// The first and the last four bytes of eight rows' entries.
#[inline(always)]
fn eight_rows<const N: usize>(table: &[[i8; 8]; N], at: &[i32; 8]) -> [__m256i; 2] {
    unsafe {
        let pairs = [
            two_entries(table, at[0], at[1]),
            two_entries(table, at[2], at[3]),
            two_entries(table, at[4], at[5]),
            two_entries(table, at[6], at[7]),
        ];
        let a = _mm256_insertf128_ps::<1>(_mm256_castps128_ps256(pairs[0]), pairs[2]);
        let b = _mm256_insertf128_ps::<1>(_mm256_castps128_ps256(pairs[1]), pairs[3]);
        [
            _mm256_castps_si256(_mm256_shuffle_ps::<0b10_00_10_00>(a, b)),
            _mm256_castps_si256(_mm256_shuffle_ps::<0b11_01_11_01>(a, b)),
        ]
    }
}

#[inline(always)]
fn two_entries<const N: usize>(table: &[[i8; 8]; N], i: i32, j: i32) -> __m128 {
    unsafe {
        let first = _mm_load_sd(entry(table, i).as_ptr().cast());
        _mm_castpd_ps(_mm_loadh_pd(first, entry(table, j).as_ptr().cast()))
    }
}

/// `table[i % N]`; `N` is a power of two, so there is nothing to check.
#[inline(always)]
fn entry<T, const N: usize>(table: &[T; N], i: i32) -> &T {
    &table[i as usize & (N - 1)]
}
