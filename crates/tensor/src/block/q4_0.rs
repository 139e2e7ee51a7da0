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
