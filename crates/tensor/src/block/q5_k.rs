//! Q5_K: 256 weights in 5 bits; 8 groups of 32, each with a 6-bit scale and a 6-bit minimum.
//!
//! ```text
//! byte 0    d       f16, scale of the scales
//! byte 2    dmin    f16, scale of the minimums
//! byte 4    scales  12 bytes, as in Q4_K
//! byte 16   qh      32 bytes; bit i / 32 of byte i % 32 is the fifth bit of weight i
//! byte 48   qs      128 bytes; low four bits, placed as in Q4_K
//! ```
//! `w = d * scale * q - dmin * min`, where `q` is the nibble with the fifth bit above it.

use std::ops::Range;

use super::field::{self, assert_layout};
use super::fit;
use super::q4_k::{self, unpack_scales};
use crate::DType;

/// Weights in a block.
pub const BLOCK_LEN: usize = 256;
/// Bytes of a block.
pub const BLOCK_BYTES: usize = 176;
/// Weights that share a scale and a minimum.
pub const GROUP_LEN: usize = 32;
/// Offset of the scale of the scales.
pub const D: usize = 0;
/// Offset of the scale of the minimums.
pub const DMIN: usize = 2;
/// The packed scales and minimums.
pub const SCALES: Range<usize> = 4..16;
/// The fifth bits.
pub const QH: Range<usize> = 16..48;
/// The packed low four bits.
pub const QS: Range<usize> = 48..176;

const _: () = assert_layout(DType::Q5_K, BLOCK_LEN, BLOCK_BYTES);

/// The 256 weights of a block.
pub fn dequantize(block: &[u8; BLOCK_BYTES], out: &mut [f32; BLOCK_LEN]) {
    let d = field::f16_at(block, D);
    let dmin = field::f16_at(block, DMIN);
    let (scales, mins) = unpack_scales(block[SCALES].as_array().expect("the field is 12 bytes"));
    for (g, group) in out.chunks_exact_mut(GROUP_LEN).enumerate() {
        let dl = d * f32::from(scales[g]);
        let ml = dmin * f32::from(mins[g]);
        for (l, w) in group.iter_mut().enumerate() {
            *w = dl * f32::from(code(&block[QH], &block[QS], GROUP_LEN * g + l)) - ml;
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
    } = fit::affine_block::<8>(x, 31.0, 63.0);
    block.fill(0);
    field::put_f16(block, D, d);
    field::put_f16(block, DMIN, dmin);
    block[SCALES].copy_from_slice(&q4_k::pack_scales(&scales, &mins));
    q4_k::put_codes(&mut block[QS], &codes);
    for (i, code) in codes.into_iter().enumerate() {
        block[QH][i % 32] |= (code >> 4) << (i / 32);
    }
}

/// Code of weight `i`, 0..=31, out of the 32 bytes `qh` and the 128 bytes `qs`.
#[inline]
pub fn code(qh: &[u8], qs: &[u8], i: usize) -> u8 {
    q4_k::code(qs, i) | ((qh[i % 32] >> (i / 32)) & 1) << 4
}
