//! Q6_K: 256 weights in 6 bits; 16 groups of 16, each with a signed 8-bit scale.
//!
//! ```text
//! byte 0     ql      128 bytes; low four bits: nibble k / 2 of byte 64 h + 32 (k % 2) + l
//! byte 128   qh      64 bytes; high two bits: bits 2k, 2k + 1 of byte 32 h + l
//! byte 192   scales  16 × i8
//! byte 208   d       f16
//! ```
//! for weight `128 h + 32 k + l`, `k` in 0..4. `w = d * scale * (q - 32)`

use std::ops::Range;

use super::field::{self, assert_layout};
use super::fit;
use super::q2_k;
use crate::DType;

/// Weights in a block.
pub const BLOCK_LEN: usize = 256;
/// Bytes of a block.
pub const BLOCK_BYTES: usize = 210;
/// Weights that share a scale.
pub const GROUP_LEN: usize = 16;
/// The packed low four bits.
pub const QL: Range<usize> = 0..128;
/// The packed high two bits.
pub const QH: Range<usize> = 128..192;
/// The scales.
pub const SCALES: Range<usize> = 192..208;
/// Offset of the scale of the scales.
pub const D: usize = 208;
/// What a code is larger than the integer it stands for.
pub const OFFSET: i8 = 32;

const _: () = assert_layout(DType::Q6_K, BLOCK_LEN, BLOCK_BYTES);

/// The 256 weights of a block.
pub fn dequantize(block: &[u8; BLOCK_BYTES], out: &mut [f32; BLOCK_LEN]) {
    let d = field::f16_at(block, D);
    let groups = out.chunks_exact_mut(GROUP_LEN).zip(&block[SCALES]);
    for (g, (group, &scale)) in groups.enumerate() {
        let dl = d * f32::from(scale as i8);
        for (l, w) in group.iter_mut().enumerate() {
            *w = dl * f32::from(code(&block[QL], &block[QH], GROUP_LEN * g + l) as i8 - OFFSET);
        }
    }
}

/// Fits scales by least squares, see the module `fit`.
pub fn quantize(x: &[f32; BLOCK_LEN], block: &mut [u8; BLOCK_BYTES]) {
    let nearest = |v| fit::round_within(v, -32.0, 31.0);
    let (d, scales) = fit::block_scales::<16>(x, [-32.0, 31.0], [-128.0, 127.0], nearest);
    block.fill(0);
    for (i, x) in x.iter().enumerate() {
        let inverse = fit::inverse(d * f32::from(scales[i / GROUP_LEN]));
        let code = (nearest(x * inverse) as i8 + OFFSET) as u8;
        let (byte, shift) = low_place(i);
        block[QL][byte] |= (code & 0x0f) << shift;
        q2_k::put_code(&mut block[QH], i, code >> 4);
    }
    for (byte, scale) in block[SCALES].iter_mut().zip(scales) {
        *byte = scale as u8;
    }
    field::put_f16(block, D, d);
}

/// Code of weight `i`, 0..=63, out of the 128 bytes `ql` and the 64 bytes `qh`.
#[inline]
pub fn code(ql: &[u8], qh: &[u8], i: usize) -> u8 {
    let (byte, shift) = low_place(i);
    (ql[byte] >> shift) & 0x0f | q2_k::code(qh, i) << 4
}

/// Byte of `ql` and bit in it where the low bits of weight `i` begin.
#[inline]
fn low_place(i: usize) -> (usize, usize) {
    let quarter = i / 32 % 4;
    (i / 128 * 64 + quarter % 2 * 32 + i % 32, quarter / 2 * 4)
}
