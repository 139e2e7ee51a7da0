//! Q8_0: 32 weights in 8 bits with one scale. Activations take this form too in integer products.
//!
//! ```text
//! byte 0   d    f16
//! byte 2   qs   32 × i8
//! ```
//! `w = d * q`

use std::ops::Range;

use super::field::{self, assert_layout};
use super::fit;
use crate::DType;

/// Weights in a block.
pub const BLOCK_LEN: usize = 32;
/// Bytes of a block.
pub const BLOCK_BYTES: usize = 34;
/// Offset of the scale.
pub const D: usize = 0;
/// The codes.
pub const QS: Range<usize> = 2..34;

const _: () = assert_layout(DType::Q8_0, BLOCK_LEN, BLOCK_BYTES);

/// The 32 weights of a block.
pub fn dequantize(block: &[u8; BLOCK_BYTES], out: &mut [f32; BLOCK_LEN]) {
    let d = field::f16_at(block, D);
    for (w, &q) in out.iter_mut().zip(&block[QS]) {
        *w = d * f32::from(q as i8);
    }
}

/// Rounds to the nearest codes, halves away from 0, under the scale of the greatest magnitude.
pub fn quantize(x: &[f32; BLOCK_LEN], block: &mut [u8; BLOCK_BYTES]) {
    let d = fit::magnitude(x) / 127.0;
    let inverse = fit::inverse(d);
    field::put_f16(block, D, d);
    for (q, x) in block[QS].iter_mut().zip(x) {
        *q = (x * inverse).round() as i8 as u8;
    }
}
