//! IQ3_XXS: 256 weights in 3.06 bits; patterns of 4 magnitudes, a 4-bit scale for each 32 weights.
//!
//! ```text
//! byte 0    d               f16
//! byte 2    qs              64 bytes; code of pattern i into the codebook
//! byte 66   scales, signs   8 × u32, one a group: bits 0..28 four times 7 signs
//!                           (see `even_signs`), bits 28..32 the scale
//! ```
//! `w = d * (scale + 0.5) / 2 * sign * magnitude`
//!
//! There is no writer here: choosing patterns well needs an importance matrix and a search.

use std::ops::Range;

use super::field::{self, assert_layout};
use super::iq2_xxs::write_pattern;
use crate::{DType, grid};

/// Weights in a block.
pub const BLOCK_LEN: usize = 256;
/// Bytes of a block.
pub const BLOCK_BYTES: usize = 98;
/// Offset of the scale.
pub const D: usize = 0;
/// The codes, a byte for 4 weights.
pub const QS: Range<usize> = 2..66;
/// Scales and signs, a u32 a group.
pub const SCALES: Range<usize> = 66..98;
/// Weights that share a scale.
pub const GROUP_LEN: usize = 32;

const _: () = assert_layout(DType::IQ3_XXS, BLOCK_LEN, BLOCK_BYTES);

/// The 256 weights of a block.
pub fn dequantize(block: &[u8; BLOCK_BYTES], out: &mut [f32; BLOCK_LEN]) {
    let d = field::f16_at(block, D);
    for (g, group) in out.chunks_exact_mut(GROUP_LEN).enumerate() {
        let packed = field::u32_at(&block[SCALES], 4 * g);
        let dl = d * (0.5 + (packed >> 28) as f32) * 0.5;
        let codes = &block[QS][8 * g..];
        for (k, four) in group.chunks_exact_mut(4).enumerate() {
            let signs = grid::even_signs(packed >> (7 * (k / 2))) >> (4 * (k % 2));
            write_pattern(four, dl, &grid::IQ3_XXS[usize::from(codes[k])], signs);
        }
    }
}
