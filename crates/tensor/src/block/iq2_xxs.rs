//! IQ2_XXS: 256 weights in 2.06 bits; patterns of 8 magnitudes, a 4-bit scale for each 32 weights.
//!
//! ```text
//! byte 0   d    f16
//! byte 2   qs   8 groups of 8 bytes: four u8 codes into the codebook, then a u32:
//!               bits 0..28 four times 7 signs (see `even_signs`), bits 28..32 the scale
//! ```
//! `w = d * (scale + 0.5) / 4 * sign * magnitude`
//!
//! There is no writer here: choosing patterns well needs an importance matrix and a search.

use std::ops::Range;

use super::field::{self, assert_layout};
use crate::{DType, grid};

/// Weights in a block.
pub const BLOCK_LEN: usize = 256;
/// Bytes of a block.
pub const BLOCK_BYTES: usize = 66;
/// Offset of the scale.
pub const D: usize = 0;
/// Codes, signs and scales, 8 bytes a group.
pub const QS: Range<usize> = 2..66;
/// Weights that share a scale.
pub const GROUP_LEN: usize = 32;

const _: () = assert_layout(DType::IQ2_XXS, BLOCK_LEN, BLOCK_BYTES);

/// The 256 weights of a block.
pub fn dequantize(block: &[u8; BLOCK_BYTES], out: &mut [f32; BLOCK_LEN]) {
    let d = field::f16_at(block, D);
    let groups = out
        .chunks_exact_mut(GROUP_LEN)
        .zip(block[QS].chunks_exact(8));
    for (group, bytes) in groups {
        let packed = field::u32_at(bytes, 4);
        let dl = d * (0.5 + (packed >> 28) as f32) * 0.25;
        for (k, eight) in group.chunks_exact_mut(8).enumerate() {
            let signs = grid::even_signs(packed >> (7 * k));
            write_pattern(eight, dl, &grid::IQ2_XXS[usize::from(bytes[k])], signs);
        }
    }
}

/// `out = dl * magnitude`, negated where the bit in `signs` is set.
pub(super) fn write_pattern(out: &mut [f32], dl: f32, pattern: &[i8], signs: u8) {
    for (k, (w, &magnitude)) in out.iter_mut().zip(pattern).enumerate() {
        *w = dl * f32::from(magnitude) * grid::sign(signs, k);
    }
}
