//! MXFP4: 32 weights as 4-bit floats with a shared power of two.
//!
//! ```text
//! byte 0   e    the scale's exponent, E8M0
//! byte 1   qs   16 bytes; the low nibble of byte j is weight j, the high nibble weight j + 16
//! ```
//! `w = 2^(e - 127) * E2M1(q)`
//!
//! As ggml does, the table holds twice the value of each code, so that it fits an i8, and the scale
//! is half the standard's: the product is the same. The standard's NaN (e = 255) reads as 2^128 here
//! and in ggml, and the code for -0 reads as +0.
//!
//! Standard: OCP Microscaling Formats (MX) v1.0, 2023.

use std::ops::Range;

use super::field::{self, assert_layout};
use super::fit;
use crate::DType;

/// Weights in a block.
pub const BLOCK_LEN: usize = 32;
/// Bytes of a block.
pub const BLOCK_BYTES: usize = 17;
/// Offset of the exponent.
pub const E: usize = 0;
/// The packed codes.
pub const QS: Range<usize> = 1..17;
/// Twice the value of each E2M1 code.
pub const VALUES: [i8; 16] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

const _: () = assert_layout(DType::MXFP4, BLOCK_LEN, BLOCK_BYTES);

/// The 32 weights of a block.
pub fn dequantize(block: &[u8; BLOCK_BYTES], out: &mut [f32; BLOCK_LEN]) {
    let d = scale(block[E]);
    for (j, &byte) in block[QS].iter().enumerate() {
        out[j] = d * f32::from(VALUES[usize::from(byte & 0x0f)]);
        out[j + 16] = d * f32::from(VALUES[usize::from(byte >> 4)]);
    }
}

/// Takes the power of two of the greatest magnitude, two down, and the nearest code under it.
///
/// The greatest magnitude is then 4 to 8 times the scale, of which codes reach 6: up to a quarter
/// of it is cut off, as the standard and ggml have it.
pub fn quantize(x: &[f32; BLOCK_LEN], block: &mut [u8; BLOCK_BYTES]) {
    // The exponent of a float, biased by 127 like `e`. Infinity counts as the largest power of two.
    let exponent = (fit::magnitude(x).to_bits() >> 23).min(254);
    block[E] = exponent.saturating_sub(2) as u8;
    let d = scale(block[E]);
    field::pack_halves(
        &x.map(|x| fit::nearest_index(&VALUES, d, x)),
        &mut block[QS],
    );
}

/// `2^(e - 128)`: half of what the E8M0 exponent stands for, to go with [`VALUES`].
#[inline]
pub const fn scale(e: u8) -> f32 {
    // The two smallest are subnormal.
    let bits = if e < 2 {
        0x0020_0000 << e
    } else {
        (e as u32 - 1) << 23
    };
    f32::from_bits(bits)
}
