//! IQ3_S: 256 weights in 3.44 bits; patterns of 4 magnitudes, a 4-bit scale for each 32 weights.
//!
//! ```text
//! byte 0     d       f16
//! byte 2     qs      64 bytes; low eight bits of the code of pattern i
//! byte 66    qh      8 bytes; bit i % 8 of byte i / 8 is the ninth bit of the code
//! byte 74    signs   32 bytes; bit k of byte i is the sign of weight 8 i + k
//! byte 106   scales  4 bytes; of group g: nibble g % 2 of byte g / 2
//! ```
//! `w = d * (2 scale + 1) * sign * magnitude`
//!
//! There is no writer here: choosing patterns well needs an importance matrix and a search.

use std::ops::Range;

use super::field::{self, assert_layout};
use super::iq2_xxs::write_pattern;
use crate::{DType, grid};

/// Weights in a block.
pub const BLOCK_LEN: usize = 256;
/// Bytes of a block.
pub const BLOCK_BYTES: usize = 110;
/// Offset of the scale.
pub const D: usize = 0;
/// Low bits of the codes.
pub const QS: Range<usize> = 2..66;
/// Ninth bits of the codes.
pub const QH: Range<usize> = 66..74;
/// The signs.
pub const SIGNS: Range<usize> = 74..106;
/// The packed scales.
pub const SCALES: Range<usize> = 106..110;
/// Weights that share a scale.
pub const GROUP_LEN: usize = 32;

const _: () = assert_layout(DType::IQ3_S, BLOCK_LEN, BLOCK_BYTES);

/// The 256 weights of a block.
pub fn dequantize(block: &[u8; BLOCK_BYTES], out: &mut [f32; BLOCK_LEN]) {
    let d = field::f16_at(block, D);
    for (i, four) in out.chunks_exact_mut(4).enumerate() {
        let dl = d * f32::from(1 + 2 * field::nibble(&block[SCALES], i / 8));
        let pattern = &grid::IQ3_S[code(&block[QS], &block[QH], i)];
        write_pattern(four, dl, pattern, field::nibble(&block[SIGNS], i));
    }
}

/// Code of pattern `i`, 0..512, out of the 64 bytes `qs` and the 8 bytes `qh`.
#[inline]
pub fn code(qs: &[u8], qh: &[u8], i: usize) -> usize {
    let ninth = (qh[i / 8] >> (i % 8)) & 1;
    usize::from(qs[i]) | usize::from(ninth) << 8
}
