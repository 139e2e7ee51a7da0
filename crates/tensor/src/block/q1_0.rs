//! Q1_0: 128 weights in 1 bit with one scale.
//!
//! ```text
//! byte 0   d    f16
//! byte 2   qs   16 bytes; bit j % 8 of byte j / 8 is weight j
//! ```
//! `w = d` where the bit is set, else `-d`

use std::ops::Range;

use super::field::{self, assert_layout};
use crate::DType;

/// Weights in a block.
pub const BLOCK_LEN: usize = 128;
/// Bytes of a block.
pub const BLOCK_BYTES: usize = 18;
/// Offset of the scale.
pub const D: usize = 0;
/// The bits.
pub const QS: Range<usize> = 2..18;

const _: () = assert_layout(DType::Q1_0, BLOCK_LEN, BLOCK_BYTES);

/// The 128 weights of a block.
pub fn dequantize(block: &[u8; BLOCK_BYTES], out: &mut [f32; BLOCK_LEN]) {
    let d = field::f16_at(block, D);
    for (j, w) in out.iter_mut().enumerate() {
        let bit = (block[QS][j / 8] >> (j % 8)) & 1;
        *w = if bit == 1 { d } else { -d };
    }
}
