//! Q5_0: 32 weights in 5 bits with one scale.
//!
//! ```text
//! byte 0   d    f16
//! byte 2   qh   u32; bit j is the fifth bit of weight j
//! byte 6   qs   16 bytes; the low nibble of byte j is weight j, the high nibble weight j + 16
//! ```
//! `w = d * (q - 16)`, where `q` is the nibble with the fifth bit above it.

use std::ops::Range;

use super::field::{self, assert_layout};
use super::fit;
use crate::DType;

/// Weights in a block.
pub const BLOCK_LEN: usize = 32;
/// Bytes of a block.
pub const BLOCK_BYTES: usize = 22;
/// Offset of the scale.
pub const D: usize = 0;
/// Offset of the u32 of fifth bits.
pub const QH: usize = 2;
/// The packed low four bits.
pub const QS: Range<usize> = 6..22;
/// What a code is larger than the integer it stands for.
pub const OFFSET: i8 = 16;

const _: () = assert_layout(DType::Q5_0, BLOCK_LEN, BLOCK_BYTES);

/// The 32 weights of a block.
pub fn dequantize(block: &[u8; BLOCK_BYTES], out: &mut [f32; BLOCK_LEN]) {
    let d = field::f16_at(block, D);
    for (w, q) in out
        .iter_mut()
        .zip(codes(field::u32_at(block, QH), &block[QS]))
    {
        *w = d * f32::from(q as i8 - OFFSET);
    }
}

/// Rounds to the nearest codes under the scale that maps the extreme weight to -16.
pub fn quantize(x: &[f32; BLOCK_LEN], block: &mut [u8; BLOCK_BYTES]) {
    let d = fit::extreme(x) / -16.0;
    let inverse = fit::inverse(d);
    // Halves round up.
    let codes = x.map(|x| ((x * inverse + 16.5) as u8).min(31));
    field::put_f16(block, D, d);
    block[QH..QH + 4].copy_from_slice(&high_bits(&codes).to_le_bytes());
    field::pack_halves(&codes, &mut block[QS]);
}

/// The 32 five-bit codes, 0..=31, out of their high bits `qh` and the 16 bytes `qs`.
#[inline]
pub fn codes(qh: u32, qs: &[u8]) -> [u8; BLOCK_LEN] {
    std::array::from_fn(|j| {
        let nibble = (qs[j % 16] >> (4 * (j / 16))) & 0x0f;
        nibble | (((qh >> j) & 1) as u8) << 4
    })
}

/// The fifth bits of 32 codes, bit `j` that of code `j`.
pub(super) fn high_bits(codes: &[u8; BLOCK_LEN]) -> u32 {
    codes
        .iter()
        .enumerate()
        .fold(0, |bits, (j, &q)| bits | u32::from((q >> 4) & 1) << j)
}
