//! IQ1_M: 256 weights in 1.75 bits; patterns of 8 weights, a 3-bit scale for each 16.
//!
//! ```text
//! byte 0    qs      32 bytes; low eight bits of the code of pattern i
//! byte 32   qh      16 bytes; of pattern i, in nibble i % 2 of byte i / 2:
//!                   bits 0..3 the high bits of its code, bit 3 the sign of its shift
//! byte 48   scales  4 × u16; bits 3 (g % 4) and up of number g / 4 are the scale of group g,
//!                   the top nibbles of the four are the f16 d, lowest first
//! ```
//! `w = d * (2 scale + 1) * (pattern + shift)`, where patterns hold -1, 0, 1 and the shift is ±1/8.
//!
//! There is no writer here: choosing patterns well needs an importance matrix and a search.

use std::ops::Range;

use half::f16;

use super::field::{self, assert_layout};
use super::iq1_s::{DELTA, write_shifted};
use crate::{DType, grid};

/// Weights in a block.
pub const BLOCK_LEN: usize = 256;
/// Bytes of a block.
pub const BLOCK_BYTES: usize = 56;
/// Low bits of the codes.
pub const QS: Range<usize> = 0..32;
/// High bits of the codes, and shifts.
pub const QH: Range<usize> = 32..48;
/// The packed scales, and in their spare bits the scale of the scales.
pub const SCALES: Range<usize> = 48..56;
/// Weights that share a scale.
pub const GROUP_LEN: usize = 16;

const _: () = assert_layout(DType::IQ1_M, BLOCK_LEN, BLOCK_BYTES);

/// The 256 weights of a block.
pub fn dequantize(block: &[u8; BLOCK_BYTES], out: &mut [f32; BLOCK_LEN]) {
    let d = scale(&block[SCALES]);
    for (i, eight) in out.chunks_exact_mut(8).enumerate() {
        let dl = d * f32::from(2 * group_scale(&block[SCALES], i / 2) + 1);
        let qh = field::nibble(&block[QH], i);
        let delta = if qh & 8 == 0 { DELTA } else { -DELTA };
        let pattern = &grid::IQ1[usize::from(block[QS][i]) | usize::from(qh & 7) << 8];
        write_shifted(eight, dl, pattern, delta);
    }
}

/// The f16 that is spread over the top nibbles of the four u16 `scales`.
#[inline]
pub fn scale(scales: &[u8]) -> f32 {
    let bits = (0..4).fold(0, |bits, k| {
        bits | (field::u16_at(scales, 2 * k) >> 12) << (4 * k)
    });
    f16::from_bits(bits).to_f32()
}

/// Scale of group `g`, 0..=7.
#[inline]
pub fn group_scale(scales: &[u8], g: usize) -> u8 {
    ((field::u16_at(scales, 2 * (g / 4)) >> (3 * (g % 4))) & 7) as u8
}
