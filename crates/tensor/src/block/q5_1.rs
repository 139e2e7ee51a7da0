//! Q5_1: 32 weights in 5 bits with a scale and a minimum.
//!
//! ```text
//! byte 0   d    f16
//! byte 2   m    f16
//! byte 4   qh   u32; bit j is the fifth bit of weight j
//! byte 8   qs   16 bytes; the low nibble of byte j is weight j, the high nibble weight j + 16
//! ```
//! `w = d * q + m`, where `q` is the nibble with the fifth bit above it.

use std::ops::Range;

use super::field::{self, assert_layout};
use super::fit;
use super::q5_0;
use crate::DType;

/// Weights in a block.
pub const BLOCK_LEN: usize = 32;
/// Bytes of a block.
pub const BLOCK_BYTES: usize = 24;
/// Offset of the scale.
pub const D: usize = 0;
/// Offset of the minimum.
pub const M: usize = 2;
/// Offset of the u32 of fifth bits.
pub const QH: usize = 4;
/// The packed low four bits.
pub const QS: Range<usize> = 8..24;

const _: () = assert_layout(DType::Q5_1, BLOCK_LEN, BLOCK_BYTES);

/// The 32 weights of a block.
pub fn dequantize(block: &[u8; BLOCK_BYTES], out: &mut [f32; BLOCK_LEN]) {
    let d = field::f16_at(block, D);
    let m = field::f16_at(block, M);
    let codes = q5_0::codes(field::u32_at(block, QH), &block[QS]);
    for (w, q) in out.iter_mut().zip(codes) {
        *w = d * f32::from(q) + m;
    }
}

/// Rounds to the nearest codes on the line from the least weight to the greatest.
pub fn quantize(x: &[f32; BLOCK_LEN], block: &mut [u8; BLOCK_BYTES]) {
    let min = x.iter().copied().fold(f32::INFINITY, f32::min);
    let max = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let d = (max - min) / 31.0;
    let inverse = fit::inverse(d);
    let codes = x.map(|x| (((x - min) * inverse + 0.5) as u8).min(31));
    field::put_f16(block, D, d);
    field::put_f16(block, M, min);
    block[QH..QH + 4].copy_from_slice(&q5_0::high_bits(&codes).to_le_bytes());
    field::pack_halves(&codes, &mut block[QS]);
}
