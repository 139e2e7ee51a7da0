//! IQ2_S: 256 weights in 2.56 bits; patterns of 8 magnitudes, a 4-bit scale for each 16 weights.
//!
//! ```text
//! byte 0    d       f16
//! byte 2    qs      32 bytes; low eight bits of the code of pattern i
//! byte 34   signs   32 bytes; bit k of byte i is the sign of weight 8 i + k
//! byte 66   qh      8 bytes; high two bits of the code: bits 2 (i % 4) and up of byte i / 4
//! byte 74   scales  8 bytes; of group g: nibble g % 2 of byte g / 2
//! ```
//! `w = d * (scale + 0.5) / 4 * sign * magnitude`
//!
//! There is no writer here: choosing patterns well needs an importance matrix and a search.

use std::ops::Range;

use super::field::{self, assert_layout};
use super::iq2_xxs::write_pattern;
use crate::{DType, grid};

/// Weights in a block.
pub const BLOCK_LEN: usize = 256;
/// Bytes of a block.
pub const BLOCK_BYTES: usize = 82;
/// Offset of the scale.
pub const D: usize = 0;
/// Low bits of the codes.
pub const QS: Range<usize> = 2..34;
/// The signs.
pub const SIGNS: Range<usize> = 34..66;
/// High bits of the codes.
pub const QH: Range<usize> = 66..74;
/// The packed scales.
pub const SCALES: Range<usize> = 74..82;
/// Weights that share a scale.
pub const GROUP_LEN: usize = 16;

const _: () = assert_layout(DType::IQ2_S, BLOCK_LEN, BLOCK_BYTES);

/// The 256 weights of a block.
pub fn dequantize(block: &[u8; BLOCK_BYTES], out: &mut [f32; BLOCK_LEN]) {
    let d = field::f16_at(block, D);
    for (i, eight) in out.chunks_exact_mut(8).enumerate() {
        let dl = d * (0.5 + f32::from(field::nibble(&block[SCALES], i / 2))) * 0.25;
        let pattern = &grid::IQ2_S[code(&block[QS], &block[QH], i)];
        write_pattern(eight, dl, pattern, block[SIGNS][i]);
    }
}

/// Code of pattern `i`, 0..1024, out of the 32 bytes `qs` and the 8 bytes `qh`.
#[inline]
pub fn code(qs: &[u8], qh: &[u8], i: usize) -> usize {
    let high = (qh[i / 4] >> (2 * (i % 4))) & 3;
    usize::from(qs[i]) | usize::from(high) << 8
}
