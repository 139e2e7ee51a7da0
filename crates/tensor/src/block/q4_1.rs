//! Q4_1: 32 weights in 4 bits with a scale and a minimum.
//!
//! ```text
//! byte 0   d    f16
//! byte 2   m    f16
//! byte 4   qs   16 bytes; the low nibble of byte j is weight j, the high nibble weight j + 16
//! ```
//! `w = d * q + m`

use std::ops::Range;

use super::field::{self, assert_layout};
use super::fit;
use crate::DType;

/// Weights in a block.
pub const BLOCK_LEN: usize = 32;
/// Bytes of a block.
pub const BLOCK_BYTES: usize = 20;
/// Offset of the scale.
pub const D: usize = 0;
/// Offset of the minimum.
pub const M: usize = 2;
/// The packed codes.
pub const QS: Range<usize> = 4..20;

const _: () = assert_layout(DType::Q4_1, BLOCK_LEN, BLOCK_BYTES);

/// The 32 weights of a block.
pub fn dequantize(block: &[u8; BLOCK_BYTES], out: &mut [f32; BLOCK_LEN]) {
    let d = field::f16_at(block, D);
    let m = field::f16_at(block, M);
    for (j, &byte) in block[QS].iter().enumerate() {
        out[j] = d * f32::from(byte & 0x0f) + m;
        out[j + 16] = d * f32::from(byte >> 4) + m;
    }
}

/// Rounds to the nearest codes on the line from the least weight to the greatest.
pub fn quantize(x: &[f32; BLOCK_LEN], block: &mut [u8; BLOCK_BYTES]) {
    let min = x.iter().copied().fold(f32::INFINITY, f32::min);
    let max = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let d = (max - min) / 15.0;
    let inverse = fit::inverse(d);
    let codes = x.map(|x| (((x - min) * inverse + 0.5) as u8).min(15));
    field::put_f16(block, D, d);
    field::put_f16(block, M, min);
    field::pack_halves(&codes, &mut block[QS]);
}
