//! Codebook look-ups by gathers, for levels without permutations of bytes that hold a whole codebook.

use super::Isa;
use crate::quant::codebook::{Codebook, MINUS};

/// [`Isa::eights`].
#[inline(always)]
pub(super) fn eights<I: Isa, const N: usize>(
    isa: I,
    book: &Codebook<N, 8>,
    index: I::I32,
    more: I::I32,
    signs: I::I32,
) -> [I::B64; 8] {
    let (at0, s0) = (joined::<I, N, 0>(isa, index, more), signs);
    let (at1, s1) = (joined::<I, N, 8>(isa, index, more), isa.shr_i32::<8>(signs));
    let (at2, s2) = (
        joined::<I, N, 16>(isa, index, more),
        isa.shr_i32::<16>(signs),
    );
    let (at3, s3) = (
        joined::<I, N, 24>(isa, index, more),
        isa.shr_i32::<24>(signs),
    );
    let [a, b] = eight(isa, book, at0, s0);
    let [c, d] = eight(isa, book, at1, s1);
    let [e, f] = eight(isa, book, at2, s2);
    let [g, h] = eight(isa, book, at3, s3);
    [a, b, c, d, e, f, g, h]
}

/// [`Isa::fours`].
#[inline(always)]
pub(super) fn fours<I: Isa, const N: usize>(
    isa: I,
    book: &Codebook<N, 4>,
    index: I::I32,
    more: I::I32,
    signs: I::I32,
) -> [I::B64; 4] {
    let (s1, s2) = (isa.shr_i32::<4>(signs), isa.shr_i32::<8>(signs));
    let s3 = isa.shr_i32::<12>(signs);
    let a = isa.gather4(&book.places, joined::<I, N, 0>(isa, index, more));
    let b = isa.gather4(&book.places, joined::<I, N, 8>(isa, index, more));
    let c = isa.gather4(&book.places, joined::<I, N, 16>(isa, index, more));
    let d = isa.gather4(&book.places, joined::<I, N, 24>(isa, index, more));
    [
        coded(isa, &book.codes, a, signs),
        coded(isa, &book.codes, b, s1),
        coded(isa, &book.codes, c, s2),
        coded(isa, &book.codes, d, s3),
    ]
}

/// The byte at bit `AT` of `index`, and above it that of `more`.
#[inline(always)]
fn joined<I: Isa, const N: usize, const AT: u32>(isa: I, index: I::I32, more: I::I32) -> I::I32 {
    let low = isa.and_i32(isa.shr_i32::<AT>(index), isa.splat_i32(0xff));
    if N <= 256 {
        return low;
    }
    // The gather takes as many bits as it needs.
    let more = isa.shl_i32::<8>(isa.shr_i32::<AT>(more));
    isa.or_i32(low, more)
}

#[inline(always)]
fn eight<I: Isa, const N: usize>(
    isa: I,
    book: &Codebook<N, 8>,
    at: I::I32,
    signs: I::I32,
) -> [I::B64; 2] {
    let [a, b] = isa.gather8(&book.places, at);
    [
        coded(isa, &book.codes, a, signs),
        coded(isa, &book.codes, b, isa.shr_i32::<4>(signs)),
    ]
}

/// Codes by places and the low four sign bits.
#[inline(always)]
fn coded<I: Isa>(isa: I, codes: &[u8; 16], places: I::B64, signs: I::I32) -> I::B64 {
    let minus = isa.and(isa.mask4(signs), isa.splat8(MINUS));
    isa.lookup16(codes, isa.or(places, minus))
}

/// [`Isa::sevens`].
#[inline(always)]
pub(super) fn sevens<I: Isa>(isa: I, a: I::I32) -> I::I32 {
    let first = isa.and_i32(a, isa.splat_i32(0x7f));
    let second = isa.and_i32(isa.shl_i32::<1>(a), isa.splat_i32(0x7f00));
    let third = isa.and_i32(isa.shl_i32::<2>(a), isa.splat_i32(0x7f_0000));
    let fourth = isa.and_i32(isa.shl_i32::<3>(a), isa.splat_i32(0x7f00_0000));
    isa.or_i32(isa.or_i32(first, second), isa.or_i32(third, fourth))
}

/// [`Isa::even_signs`].
#[inline(always)]
pub(super) fn even_signs<I: Isa>(isa: I, a: I::I32) -> I::I32 {
    let seven = isa.and_i32(a, isa.splat_i32(0x7f7f_7f7f));
    let folded = isa.xor_i32(seven, isa.shr_i32::<4>(seven));
    let folded = isa.xor_i32(folded, isa.shr_i32::<2>(folded));
    let folded = isa.xor_i32(folded, isa.shr_i32::<1>(folded));
    let parity = isa.and_i32(folded, isa.splat_i32(0x0101_0101));
    isa.or_i32(seven, isa.shl_i32::<7>(parity))
}
