//! Q6_K: 256 weights in 6 bits; 16 groups of 16, each with a signed 8-bit scale.
//!
//! ```text
//! byte 0     ql      128 bytes; low four bits. Of half h, quarter k: nibble k / 2 of byte 64 h + 32 (k % 2) + l
//! byte 128   qh      64 bytes; high two bits: bits 2k, 2k + 1 of byte 32 h + l
//! byte 192   scales  16 × i8
//! byte 208   d       f16
//! ```
//! for weight `128 h + 32 k + l`. `w = d * scale * (q - 32)`

use std::ops::Range;

use super::field::{self, assert_layout};
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

/// Code of weight `i`, 0..=63, out of the 128 bytes `ql` and the 64 bytes `qh`.
#[inline]
pub fn code(ql: &[u8], qh: &[u8], i: usize) -> u8 {
    let (half, k, l) = (i / 128, i / 32 % 4, i % 32);
    let low = (ql[64 * half + 32 * (k % 2) + l] >> (4 * (k / 2))) & 0x0f;
    low | q2_k::code(qh, i) << 4
}
