//! IQ4_XS: 256 weights in 4 bits; 8 groups of 32 like IQ4_NL's, each with a signed 6-bit scale.
//!
//! ```text
//! byte 0   d         f16
//! byte 2   scales_h  u16; high two bits of the scale of group g: bits 2 g, 2 g + 1
//! byte 4   scales_l  4 bytes; low four bits: nibble g % 2 of byte g / 2
//! byte 8   qs        8 × 16 bytes; in a group, low nibbles are weights 0..16, high ones 16..32
//! ```
//! `w = d * (scale - 32) * VALUES[q]`

use std::ops::Range;

use super::field::{self, assert_layout};
use super::fit;
use super::iq4_nl::{VALUES, nearest_code, nearest_value};
use crate::DType;

/// Weights in a block.
pub const BLOCK_LEN: usize = 256;
/// Bytes of a block.
pub const BLOCK_BYTES: usize = 136;
/// Offset of the scale.
pub const D: usize = 0;
/// Offset of the u16 of high bits of the scales.
pub const SCALES_H: usize = 2;
/// Low bits of the scales.
pub const SCALES_L: Range<usize> = 4..8;
/// The packed codes.
pub const QS: Range<usize> = 8..136;
/// Weights that share a scale.
pub const GROUP_LEN: usize = 32;

const _: () = assert_layout(DType::IQ4_XS, BLOCK_LEN, BLOCK_BYTES);

/// The 256 weights of a block.
pub fn dequantize(block: &[u8; BLOCK_BYTES], out: &mut [f32; BLOCK_LEN]) {
    let d = field::f16_at(block, D);
    let scales = unpack_scales(field::u16_at(block, SCALES_H), &block[SCALES_L]);
    let groups = out
        .chunks_exact_mut(GROUP_LEN)
        .zip(block[QS].chunks_exact(16));
    for ((group, bytes), scale) in groups.zip(scales) {
        let dl = d * f32::from(scale);
        for (j, &byte) in bytes.iter().enumerate() {
            group[j] = dl * f32::from(VALUES[usize::from(byte & 0x0f)]);
            group[j + 16] = dl * f32::from(VALUES[usize::from(byte >> 4)]);
        }
    }
}

/// Fits scales by least squares, see the module `fit`.
pub fn quantize(x: &[f32; BLOCK_LEN], block: &mut [u8; BLOCK_BYTES]) {
    let ends = [VALUES[0], VALUES[15]].map(f32::from);
    let (d, scales) = fit::block_scales::<8>(x, ends, [-32.0, 31.0], nearest_value);
    block.fill(0);
    field::put_f16(block, D, d);
    let mut high = 0;
    for (g, (x, &scale)) in x.as_chunks::<GROUP_LEN>().0.iter().zip(&scales).enumerate() {
        let inverse = fit::inverse(d * f32::from(scale));
        let codes = x.map(|x| nearest_code(x * inverse));
        field::pack_halves(&codes, &mut block[QS][16 * g..16 * g + 16]);
        let stored = (scale + 32) as u8;
        block[SCALES_L][g / 2] |= (stored & 0x0f) << (4 * (g % 2));
        high |= u16::from(stored >> 4) << (2 * g);
    }
    block[SCALES_H..SCALES_H + 2].copy_from_slice(&high.to_le_bytes());
}

/// The 8 scales, -32..=31, out of their high bits and the 4 bytes of low bits.
#[inline]
pub fn unpack_scales(high: u16, low: &[u8]) -> [i8; 8] {
    std::array::from_fn(|g| {
        let high = ((high >> (2 * g)) & 3) as u8;
        (field::nibble(low, g) | high << 4) as i8 - 32
    })
}
