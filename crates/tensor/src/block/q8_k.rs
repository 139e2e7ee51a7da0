//! Q8_K: 256 values in 8 bits with one f32 scale and 16 sums. Activations only; not found in files.
//!
//! ```text
//! byte 0     d      f32
//! byte 4     qs     256 × i8
//! byte 260   bsums  16 × i16; sum of the codes of each 16 values
//! ```
//! `x = d * q`. The sums serve dot products with types that have minimums.

use std::ops::Range;

use super::field::{self, assert_layout};
use super::fit;
use crate::DType;

/// Weights in a block.
pub const BLOCK_LEN: usize = 256;
/// Bytes of a block.
pub const BLOCK_BYTES: usize = 292;
/// Offset of the scale.
pub const D: usize = 0;
/// The codes.
pub const QS: Range<usize> = 4..260;
/// The sums.
pub const BSUMS: Range<usize> = 260..292;
/// Values summed in one of the sums.
pub const GROUP_LEN: usize = 16;

const _: () = assert_layout(DType::Q8_K, BLOCK_LEN, BLOCK_BYTES);

/// The 256 weights of a block.
pub fn dequantize(block: &[u8; BLOCK_BYTES], out: &mut [f32; BLOCK_LEN]) {
    let d = field::f32_at(block, D);
    for (w, &q) in out.iter_mut().zip(&block[QS]) {
        *w = d * f32::from(q as i8);
    }
}

/// Rounds to the nearest codes, halves to even, under the scale that maps the extreme to -127.
pub fn quantize(x: &[f32; BLOCK_LEN], block: &mut [u8; BLOCK_BYTES]) {
    let extreme = fit::extreme(x);
    if extreme == 0.0 {
        block.fill(0);
        return;
    }
    let inverse = -127.0 / extreme;
    block[D..D + 4].copy_from_slice(&(1.0 / inverse).to_le_bytes());
    let mut sums = [0i16; BLOCK_LEN / GROUP_LEN];
    for (i, (q, x)) in block[QS].iter_mut().zip(x).enumerate() {
        let code = (x * inverse).round_ties_even().clamp(-127.0, 127.0) as i8;
        sums[i / GROUP_LEN] += i16::from(code);
        *q = code as u8;
    }
    for (bytes, sum) in block[BSUMS].chunks_exact_mut(2).zip(sums) {
        bytes.copy_from_slice(&sum.to_le_bytes());
    }
}
