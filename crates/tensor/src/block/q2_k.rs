//! Q2_K: 256 weights in 2 bits; 16 groups of 16, each with a 4-bit scale and a 4-bit minimum.
//!
//! ```text
//! byte 0    scales  16 bytes; of group g: scale in the low nibble, minimum in the high one
//! byte 16   qs      64 bytes; weight 128 h + 32 k + l is bits 2k, 2k + 1 of byte 32 h + l
//! byte 80   d       f16, scale of the scales
//! byte 82   dmin    f16, scale of the minimums
//! ```
//! `w = d * scale * q - dmin * min`

use std::ops::Range;

use super::field::{self, assert_layout};
use super::fit;
use crate::DType;

/// Weights in a block.
pub const BLOCK_LEN: usize = 256;
/// Bytes of a block.
pub const BLOCK_BYTES: usize = 84;
/// Weights that share a scale and a minimum.
pub const GROUP_LEN: usize = 16;
/// Scale and minimum of each group.
pub const SCALES: Range<usize> = 0..16;
/// The packed codes.
pub const QS: Range<usize> = 16..80;
/// Offset of the scale of the scales.
pub const D: usize = 80;
/// Offset of the scale of the minimums.
pub const DMIN: usize = 82;

const _: () = assert_layout(DType::Q2_K, BLOCK_LEN, BLOCK_BYTES);

/// The 256 weights of a block.
pub fn dequantize(block: &[u8; BLOCK_BYTES], out: &mut [f32; BLOCK_LEN]) {
    let d = field::f16_at(block, D);
    let dmin = field::f16_at(block, DMIN);
    let groups = out.chunks_exact_mut(GROUP_LEN).zip(&block[SCALES]);
    for (g, (group, &packed)) in groups.enumerate() {
        let dl = d * f32::from(packed & 0x0f);
        let ml = dmin * f32::from(packed >> 4);
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
    } = fit::affine_block::<16>(x, 3.0, 15.0);
    block.fill(0);
    for (g, packed) in block[SCALES].iter_mut().enumerate() {
        *packed = scales[g] | mins[g] << 4;
    }
    for (i, code) in codes.into_iter().enumerate() {
        put_code(&mut block[QS], i, code);
    }
    field::put_f16(block, D, d);
    field::put_f16(block, DMIN, dmin);
}

/// Code of weight `i`, 0..=3, out of the 64 bytes `qs`.
#[inline]
pub fn code(qs: &[u8], i: usize) -> u8 {
    let (byte, shift) = place(i);
    (qs[byte] >> shift) & 3
}

/// Puts the code of weight `i` into zeroed bytes.
pub(super) fn put_code(qs: &mut [u8], i: usize, code: u8) {
    let (byte, shift) = place(i);
    qs[byte] |= code << shift;
}

/// Byte of `qs` and bit in it where the code of weight `i` begins.
#[inline]
fn place(i: usize) -> (usize, usize) {
    (i / 128 * 32 + i % 32, i / 32 % 4 * 2)
}
