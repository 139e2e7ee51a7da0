//! Q8_1: 32 values in 8 bits with one scale and their sum. Activations only; not found in files.
//!
//! ```text
//! byte 0   d    f16
//! byte 2   s    f16, d times the sum of qs
//! byte 4   qs   32 × i8
//! ```
//! `x = d * q`. A dot product with a type that has a minimum needs the sum of `x`; `s` is that sum.

use std::ops::Range;

use super::field::{self, assert_layout};
use super::fit;
use crate::DType;

/// Weights in a block.
pub const BLOCK_LEN: usize = 32;
/// Bytes of a block.
pub const BLOCK_BYTES: usize = 36;
/// Offset of the scale.
pub const D: usize = 0;
/// Offset of the sum.
pub const S: usize = 2;
/// The codes.
pub const QS: Range<usize> = 4..36;

const _: () = assert_layout(DType::Q8_1, BLOCK_LEN, BLOCK_BYTES);

/// The 32 weights of a block.
pub fn dequantize(block: &[u8; BLOCK_BYTES], out: &mut [f32; BLOCK_LEN]) {
    let d = field::f16_at(block, D);
    for (w, &q) in out.iter_mut().zip(&block[QS]) {
        *w = d * f32::from(q as i8);
    }
}

/// Rounds as Q8_0 does, and sums the codes.
pub fn quantize(x: &[f32; BLOCK_LEN], block: &mut [u8; BLOCK_BYTES]) {
    let d = fit::magnitude(x) / 127.0;
    let inverse = fit::inverse(d);
    let mut sum = 0;
    for (q, x) in block[QS].iter_mut().zip(x) {
        let code = (x * inverse).round() as i8;
        sum += i32::from(code);
        *q = code as u8;
    }
    field::put_f16(block, D, d);
    field::put_f16(block, S, d * sum as f32);
}
