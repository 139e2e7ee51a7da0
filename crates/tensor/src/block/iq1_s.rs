//! IQ1_S: 256 weights in 1.56 bits; patterns of 8 weights, a 3-bit scale for each 32.
//!
//! ```text
//! byte 0    d    f16
//! byte 2    qs   32 bytes; low eight bits of the code of pattern i
//! byte 34   qh   8 × u16, one a group: bits 0..12 the high three bits of four codes,
//!                bits 12..15 the scale, bit 15 the sign of the shift
//! ```
//! `w = d * (2 scale + 1) * (pattern + shift)`, where patterns hold -1, 0, 1 and the shift is ±1/8.
//!
//! There is no writer here: choosing patterns well needs an importance matrix and a search.

use std::ops::Range;

use super::field::{self, assert_layout};
use crate::{DType, grid};

/// Weights in a block.
pub const BLOCK_LEN: usize = 256;
/// Bytes of a block.
pub const BLOCK_BYTES: usize = 50;
/// Offset of the scale.
pub const D: usize = 0;
/// Low bits of the codes.
pub const QS: Range<usize> = 2..34;
/// High bits of the codes, scales and shifts, a u16 a group.
pub const QH: Range<usize> = 34..50;
/// Weights that share a scale.
pub const GROUP_LEN: usize = 32;
/// What every weight of a group is shifted by, up or down.
pub const DELTA: f32 = 0.125;

const _: () = assert_layout(DType::IQ1_S, BLOCK_LEN, BLOCK_BYTES);

/// The 256 weights of a block.
pub fn dequantize(block: &[u8; BLOCK_BYTES], out: &mut [f32; BLOCK_LEN]) {
    let d = field::f16_at(block, D);
    for (g, group) in out.chunks_exact_mut(GROUP_LEN).enumerate() {
        let qh = field::u16_at(&block[QH], 2 * g);
        let dl = d * f32::from(2 * ((qh >> 12) & 7) + 1);
        let delta = if qh & 0x8000 == 0 { DELTA } else { -DELTA };
        for (k, eight) in group.chunks_exact_mut(8).enumerate() {
            let high = (qh >> (3 * k)) & 7;
            let pattern = &grid::IQ1[usize::from(block[QS][4 * g + k]) | usize::from(high) << 8];
            write_shifted(eight, dl, pattern, delta);
        }
    }
}

/// `out = dl * (pattern + delta)`.
pub(super) fn write_shifted(out: &mut [f32], dl: f32, pattern: &[i8; 8], delta: f32) {
    for (w, &p) in out.iter_mut().zip(pattern) {
        *w = dl * (f32::from(p) + delta);
    }
}
