//! Q4_0: 32 weights in 4 bits with one scale.
//!
//! ```text
//! byte 0   d    f16
//! byte 2   qs   16 bytes; the low nibble of byte j is weight j, the high nibble weight j + 16
//! ```
//! `w = d * (q - 8)`
//!
//! The writer gives the weight of largest magnitude the code 0, that is `-8 d`: of the two ends of
//! the range -8..=7 it is the longer one.

use std::ops::Range;

use super::field::{self, assert_layout};
use super::fit;
use crate::DType;

/// Weights in a block.
pub const BLOCK_LEN: usize = 32;
/// Bytes of a block.
pub const BLOCK_BYTES: usize = 18;
/// Offset of the scale.
pub const D: usize = 0;
/// The packed codes.
pub const QS: Range<usize> = 2..18;
/// What a code is larger than the integer it stands for.
pub const OFFSET: i8 = 8;

const _: () = assert_layout(DType::Q4_0, BLOCK_LEN, BLOCK_BYTES);

/// The 32 weights of a block.
pub fn dequantize(block: &[u8; BLOCK_BYTES], out: &mut [f32; BLOCK_LEN]) {
    let d = field::f16_at(block, D);
    for (j, &byte) in block[QS].iter().enumerate() {
        out[j] = d * f32::from((byte & 0x0f) as i8 - OFFSET);
        out[j + 16] = d * f32::from((byte >> 4) as i8 - OFFSET);
    }
}

/// Rounds to the nearest codes under the scale that maps the extreme weight to -8.
pub fn quantize(x: &[f32; BLOCK_LEN], block: &mut [u8; BLOCK_BYTES]) {
    let d = fit::extreme(x) / -8.0;
    let inverse = fit::inverse(d);
    // Halves round up.
    let codes = x.map(|x| ((x * inverse + 8.5) as u8).min(15));
    field::put_f16(block, D, d);
    field::pack_halves(&codes, &mut block[QS]);
}
