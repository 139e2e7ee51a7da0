//! Q8_K: 256 values in 8 bits with one f32 scale and 16 sums. Activations only; not found in files.
//!
//! ```text
//! byte 0     d      f32
//! byte 4     qs     256 × i8
//! byte 260   bsums  16 × i16; sum of the codes of each 16 values
//! ```
//! `x = d * q`. The sums serve dot products with types that have minimums.

use std::ops::Range;

use super::field::{self, assert_layout};
use crate::DType;

/// Weights in a block.
pub const BLOCK_LEN: usize = 256;
/// Bytes of a block.
pub const BLOCK_BYTES: usize = 292;
/// Offset of the scale.
pub const D: usize = 0;
/// The codes.
pub const QS: Range<usize> = 4..260;
/// The sums.
pub const BSUMS: Range<usize> = 260..292;
/// Values summed in one of the sums.
pub const GROUP_LEN: usize = 16;

const _: () = assert_layout(DType::Q8_K, BLOCK_LEN, BLOCK_BYTES);

/// The 256 weights of a block.
pub fn dequantize(block: &[u8; BLOCK_BYTES], out: &mut [f32; BLOCK_LEN]) {
    let d = field::f32_at(block, D);
    for (w, &q) in out.iter_mut().zip(&block[QS]) {
        *w = d * f32::from(q as i8);
    }
}
