//! TQ2_0: 256 ternary weights in 2 bits with one scale.
//!
//! ```text
//! byte 0    qs   64 bytes; weight 128 h + 32 k + l is bits 2k, 2k + 1 of byte 32 h + l, as in Q2_K
//! byte 64   d    f16
//! ```
//! `w = d * (q - 1)`. The code 3 does not occur in files that were written well; it reads as 2 d.

use std::ops::Range;

use super::field::{self, assert_layout};
use super::fit;
use super::q2_k;
use crate::DType;

/// Weights in a block.
pub const BLOCK_LEN: usize = 256;
/// Bytes of a block.
pub const BLOCK_BYTES: usize = 66;
/// The packed codes.
pub const QS: Range<usize> = 0..64;
/// Offset of the scale.
pub const D: usize = 64;

const _: () = assert_layout(DType::TQ2_0, BLOCK_LEN, BLOCK_BYTES);

/// The 256 weights of a block.
pub fn dequantize(block: &[u8; BLOCK_BYTES], out: &mut [f32; BLOCK_LEN]) {
    let d = field::f16_at(block, D);
    for (i, w) in out.iter_mut().enumerate() {
        *w = d * f32::from(q2_k::code(&block[QS], i) as i8 - 1);
    }
}

/// Rounds to -1, 0 or 1 times the greatest magnitude, halves away from 0.
///
/// Right for weights that are ternary already; of others it keeps little.
pub fn quantize(x: &[f32; BLOCK_LEN], block: &mut [u8; BLOCK_BYTES]) {
    let d = fit::magnitude(x);
    let inverse = fit::inverse(d);
    block.fill(0);
    for (i, x) in x.iter().enumerate() {
        q2_k::put_code(&mut block[QS], i, (fit::ternary(x * inverse) + 1) as u8);
    }
    field::put_f16(block, D, d);
}
