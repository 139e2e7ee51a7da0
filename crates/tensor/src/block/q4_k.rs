//! Q4_K: 256 weights in 4 bits; 8 groups of 32, each with a 6-bit scale and a 6-bit minimum.
//!
//! ```text
//! byte 0    d       f16, scale of the scales
//! byte 2    dmin    f16, scale of the minimums
//! byte 4    scales  12 bytes; 8 scales and 8 minimums of 6 bits, see `unpack_scales`
//! byte 16   qs      128 bytes; of bytes 32 p + l low nibbles are group 2 p, high ones 2 p + 1
//! ```
//! `w = d * scale * q - dmin * min`

use std::ops::Range;

use super::field::{self, assert_layout};
use super::fit;
use crate::DType;

/// Weights in a block.
pub const BLOCK_LEN: usize = 256;
/// Bytes of a block.
pub const BLOCK_BYTES: usize = 144;
/// Weights that share a scale and a minimum.
pub const GROUP_LEN: usize = 32;
/// Offset of the scale of the scales.
pub const D: usize = 0;
/// Offset of the scale of the minimums.
pub const DMIN: usize = 2;
/// The packed scales and minimums.
pub const SCALES: Range<usize> = 4..16;
/// The packed codes.
pub const QS: Range<usize> = 16..144;

const _: () = assert_layout(DType::Q4_K, BLOCK_LEN, BLOCK_BYTES);

/// The 256 weights of a block.
pub fn dequantize(block: &[u8; BLOCK_BYTES], out: &mut [f32; BLOCK_LEN]) {
    let d = field::f16_at(block, D);
    let dmin = field::f16_at(block, DMIN);
    let (scales, mins) = unpack_scales(block[SCALES].as_array().expect("the field is 12 bytes"));
    for (g, group) in out.chunks_exact_mut(GROUP_LEN).enumerate() {
        let dl = d * f32::from(scales[g]);
        let ml = dmin * f32::from(mins[g]);
        for (l, w) in group.iter_mut().enumerate() {
            *w = dl * f32::from(code(&block[QS], GROUP_LEN * g + l)) - ml;
        }
    }
}

/// Fits scales and minimums by least squares, see the module `fit`.
pub fn quantize(x: &[f32; BLOCK_LEN], block: &mut [u8; BLOCK_BYTES]) {
    let fit::AffineBlock {
        d,
        dmin,
        scales,
        mins,
        codes,
    } = fit::affine_block::<8>(x, 15.0, 63.0);
    field::put_f16(block, D, d);
    field::put_f16(block, DMIN, dmin);
    block[SCALES].copy_from_slice(&pack_scales(&scales, &mins));
    put_codes(&mut block[QS], &codes);
}

/// Code of weight `i`, 0..=15, out of the 128 bytes `qs`.
#[inline]
pub fn code(qs: &[u8], i: usize) -> u8 {
    let (pair, high, l) = (i / 64, i / 32 % 2, i % 32);
    (qs[32 * pair + l] >> (4 * high)) & 0x0f
}

/// Packs the low four bits of 256 codes.
pub(super) fn put_codes(qs: &mut [u8], codes: &[u8; BLOCK_LEN]) {
    for (pair, bytes) in codes.chunks_exact(64).zip(qs.chunks_exact_mut(32)) {
        for (l, byte) in bytes.iter_mut().enumerate() {
            *byte = pair[l] & 0x0f | pair[32 + l] << 4;
        }
    }
}

/// The 8 scales and the 8 minimums of Q4_K and Q5_K, each 0..=63.
///
/// Groups 0..4 lie whole in the low six bits of bytes `g` (scale) and `4 + g` (minimum). Groups
/// 4..8 keep their low four bits in the nibbles of byte `4 + g` (scale low, minimum high), and
/// their high two bits where groups 0..4 left room: above bytes `g - 4` and `g`.
#[inline]
pub fn unpack_scales(packed: &[u8; 12]) -> ([u8; 8], [u8; 8]) {
    let (mut scales, mut mins) = ([0; 8], [0; 8]);
    for g in 0..4 {
        scales[g] = packed[g] & 0x3f;
        mins[g] = packed[4 + g] & 0x3f;
        scales[4 + g] = packed[8 + g] & 0x0f | (packed[g] >> 6) << 4;
        mins[4 + g] = packed[8 + g] >> 4 | (packed[4 + g] >> 6) << 4;
    }
    (scales, mins)
}

/// What [`unpack_scales`] reads as `scales` and `mins`, each 0..=63.
pub fn pack_scales(scales: &[u8; 8], mins: &[u8; 8]) -> [u8; 12] {
    let mut packed = [0; 12];
    for g in 0..4 {
        packed[g] = scales[g] | (scales[4 + g] >> 4) << 6;
        packed[4 + g] = mins[g] | (mins[4 + g] >> 4) << 6;
        packed[8 + g] = scales[4 + g] & 0x0f | mins[4 + g] << 4;
    }
    packed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_round_trip() {
        for first in 0..=56 {
            let scales = std::array::from_fn(|g| first + g as u8);
            let mins = std::array::from_fn(|g| 63 - first - g as u8);
            assert_eq!(unpack_scales(&pack_scales(&scales, &mins)), (scales, mins));
        }
    }
}
