//! Q2_0: 64 weights in 2 bits with one scale.
//!
//! ```text
//! byte 0   d    f16
//! byte 2   qs   16 bytes; bits 2 (j % 4) and up of byte j / 4 are weight j
//! ```
//! `w = d * (q - 1)`

use std::ops::Range;

use super::field::{self, assert_layout};
use super::fit;
use crate::DType;

/// Weights in a block.
pub const BLOCK_LEN: usize = 64;
/// Bytes of a block.
pub const BLOCK_BYTES: usize = 18;
/// Offset of the scale.
pub const D: usize = 0;
/// The packed codes.
pub const QS: Range<usize> = 2..18;
/// What a code is larger than the integer it stands for.
pub const OFFSET: i8 = 1;

const _: () = assert_layout(DType::Q2_0, BLOCK_LEN, BLOCK_BYTES);

/// The 64 weights of a block.
pub fn dequantize(block: &[u8; BLOCK_BYTES], out: &mut [f32; BLOCK_LEN]) {
    let d = field::f16_at(block, D);
    for (j, w) in out.iter_mut().enumerate() {
        let q = (block[QS][j / 4] >> (2 * (j % 4))) & 3;
        *w = d * f32::from(q as i8 - OFFSET);
    }
}

/// Fits the scale by least squares, see the module `fit`.
pub fn quantize(x: &[f32; BLOCK_LEN], block: &mut [u8; BLOCK_BYTES]) {
    let nearest = |v| fit::round_within(v, -1.0, 2.0);
    let d = field::round_f16(fit::scale(x, &[1.0; BLOCK_LEN], [-1.0, 2.0], nearest));
    let inverse = fit::inverse(d);
    block.fill(0);
    field::put_f16(block, D, d);
    for (j, x) in x.iter().enumerate() {
        let code = (nearest(x * inverse) as i8 + OFFSET) as u8;
        block[QS][j / 4] |= code << (2 * (j % 4));
    }
}
