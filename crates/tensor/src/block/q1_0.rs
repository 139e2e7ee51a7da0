//! Q1_0: 128 weights in 1 bit with one scale.
//!
//! ```text
//! byte 0   d    f16
//! byte 2   qs   16 bytes; bit j % 8 of byte j / 8 is weight j
//! ```
//! `w = d` where the bit is set, else `-d`

use std::ops::Range;

use super::field::{self, assert_layout};
use crate::DType;

/// Weights in a block.
pub const BLOCK_LEN: usize = 128;
/// Bytes of a block.
pub const BLOCK_BYTES: usize = 18;
/// Offset of the scale.
pub const D: usize = 0;
/// The bits.
pub const QS: Range<usize> = 2..18;

const _: () = assert_layout(DType::Q1_0, BLOCK_LEN, BLOCK_BYTES);

/// The 128 weights of a block.
pub fn dequantize(block: &[u8; BLOCK_BYTES], out: &mut [f32; BLOCK_LEN]) {
    let d = field::f16_at(block, D);
    for (j, w) in out.iter_mut().enumerate() {
        let bit = (block[QS][j / 8] >> (j % 8)) & 1;
        *w = if bit == 1 { d } else { -d };
    }
}

/// Takes the signs, and as scale the mean magnitude: the least-squares choice. 0 counts as +.
pub fn quantize(x: &[f32; BLOCK_LEN], block: &mut [u8; BLOCK_BYTES]) {
    let d = x.iter().map(|x| x.abs()).sum::<f32>() / BLOCK_LEN as f32;
    field::put_f16(block, D, d);
    for (byte, x) in block[QS].iter_mut().zip(x.chunks_exact(8)) {
        *byte = x
            .iter()
            .enumerate()
            .fold(0, |bits, (k, &x)| bits | u8::from(x >= 0.0) << k);
    }
}
