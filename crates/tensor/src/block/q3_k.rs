//! Q3_K: 256 weights in 3 bits; 16 groups of 16, each with a signed 6-bit scale.
//!
//! ```text
//! byte 0     hmask   32 bytes; bit i / 32 of byte i % 32 is the third bit of weight i
//! byte 32    qs      64 bytes; low two bits, placed as in Q2_K
//! byte 96    scales  12 bytes; 16 × 6 bits, see `unpack_scales`
//! byte 108   d       f16
//! ```
//! `w = d * (scale - 32) * (q - 4)`, where `q` is the two low bits with the third above them.
//! (ggml says it the other way round: 4 is taken off where the third bit is *not* set.)

use std::ops::Range;

use super::field::{self, assert_layout};
use super::fit;
use super::q2_k;
use crate::DType;

/// Weights in a block.
pub const BLOCK_LEN: usize = 256;
/// Bytes of a block.
pub const BLOCK_BYTES: usize = 110;
/// Weights that share a scale.
pub const GROUP_LEN: usize = 16;
/// The third bits.
pub const HMASK: Range<usize> = 0..32;
/// The packed low two bits.
pub const QS: Range<usize> = 32..96;
/// The packed scales.
pub const SCALES: Range<usize> = 96..108;
/// Offset of the scale of the scales.
pub const D: usize = 108;
/// What a code is larger than the integer it stands for.
pub const OFFSET: i8 = 4;

const _: () = assert_layout(DType::Q3_K, BLOCK_LEN, BLOCK_BYTES);

/// The 256 weights of a block.
pub fn dequantize(block: &[u8; BLOCK_BYTES], out: &mut [f32; BLOCK_LEN]) {
    let d = field::f16_at(block, D);
    let scales = unpack_scales(block[SCALES].as_array().expect("the field is 12 bytes"));
    for (g, group) in out.chunks_exact_mut(GROUP_LEN).enumerate() {
        let dl = d * f32::from(scales[g]);
        for (l, w) in group.iter_mut().enumerate() {
            *w = dl * f32::from(code(&block[HMASK], &block[QS], GROUP_LEN * g + l) as i8 - OFFSET);
        }
    }
}

/// Fits scales by least squares, see the module `fit`.
pub fn quantize(x: &[f32; BLOCK_LEN], block: &mut [u8; BLOCK_BYTES]) {
    let nearest = |v| fit::round_within(v, -4.0, 3.0);
    let (d, scales) = fit::block_scales::<16>(x, [-4.0, 3.0], [-32.0, 31.0], nearest);
    block.fill(0);
    for (i, x) in x.iter().enumerate() {
        let inverse = fit::inverse(d * f32::from(scales[i / GROUP_LEN]));
        let code = (nearest(x * inverse) as i8 + OFFSET) as u8;
        q2_k::put_code(&mut block[QS], i, code & 3);
        block[HMASK][i % 32] |= (code >> 2) << (i / 32);
    }
    block[SCALES].copy_from_slice(&pack_scales(&scales));
    field::put_f16(block, D, d);
}

/// Code of weight `i`, 0..=7, out of the 32 bytes `hmask` and the 64 bytes `qs`.
#[inline]
pub fn code(hmask: &[u8], qs: &[u8], i: usize) -> u8 {
    q2_k::code(qs, i) | ((hmask[i % 32] >> (i / 32)) & 1) << 2
}

/// The 16 scales, -32..=31.
///
/// Low four bits of scale `g`: a nibble of byte `g % 8` (the high one from `g = 8` on).
/// High two bits: bits `2 (g / 4)` and up of byte `8 + g % 4`. They are stored with 32 added.
#[inline]
pub fn unpack_scales(packed: &[u8; 12]) -> [i8; 16] {
    std::array::from_fn(|g| {
        let low = (packed[g % 8] >> (4 * (g / 8))) & 0x0f;
        let high = (packed[8 + g % 4] >> (2 * (g / 4))) & 3;
        (low | high << 4) as i8 - 32
    })
}

/// What [`unpack_scales`] reads as `scales`, each in -32..=31.
pub fn pack_scales(scales: &[i8; 16]) -> [u8; 12] {
    let mut packed = [0; 12];
    for (g, &scale) in scales.iter().enumerate() {
        let stored = (scale + 32) as u8;
        packed[g % 8] |= (stored & 0x0f) << (4 * (g / 8));
        packed[8 + g % 4] |= (stored >> 4) << (2 * (g / 4));
    }
    packed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_round_trip() {
        for first in -32..=16 {
            let scales = std::array::from_fn(|g| first + g as i8);
            assert_eq!(unpack_scales(&pack_scales(&scales)), scales);
        }
    }
}
