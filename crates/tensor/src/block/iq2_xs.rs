//! IQ2_XS: 256 weights in 2.31 bits; patterns of 8 magnitudes, a 4-bit scale for each 16 weights.
//!
//! ```text
//! byte 0    d       f16
//! byte 2    qs      32 × u16: bits 0..9 code of a pattern, bits 9..16 its signs (see `even_signs`)
//! byte 66   scales  8 bytes; of group g: nibble g % 2 of byte g / 2
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
pub const BLOCK_BYTES: usize = 74;
/// Offset of the scale.
pub const D: usize = 0;
/// Codes and signs, a u16 for 8 weights.
pub const QS: Range<usize> = 2..66;
/// The packed scales.
pub const SCALES: Range<usize> = 66..74;
/// Weights that share a scale.
pub const GROUP_LEN: usize = 16;

const _: () = assert_layout(DType::IQ2_XS, BLOCK_LEN, BLOCK_BYTES);

/// The 256 weights of a block.
pub fn dequantize(block: &[u8; BLOCK_BYTES], out: &mut [f32; BLOCK_LEN]) {
    let d = field::f16_at(block, D);
    for (i, eight) in out.chunks_exact_mut(8).enumerate() {
        let dl = d * (0.5 + f32::from(field::nibble(&block[SCALES], i / 2))) * 0.25;
        let packed = field::u16_at(&block[QS], 2 * i);
        let signs = grid::even_signs(u32::from(packed >> 9));
        write_pattern(eight, dl, &grid::IQ2_XS[usize::from(packed & 0x1ff)], signs);
    }
}
