//! IQ4_NL: 32 weights in 4 bits with one scale; the 16 codes stand for unevenly spaced values.
//!
//! ```text
//! byte 0   d    f16
//! byte 2   qs   16 bytes; the low nibble of byte j is weight j, the high nibble weight j + 16
//! ```
//! `w = d * VALUES[q]`

use std::ops::Range;

use super::field::{self, assert_layout};
use super::fit;
use crate::DType;

/// Weights in a block.
pub const BLOCK_LEN: usize = 32;
/// Bytes of a block.
pub const BLOCK_BYTES: usize = 18;
/// Offset of the scale.
pub const D: usize = 0;
/// The packed codes.
pub const QS: Range<usize> = 2..18;
/// What the codes stand for, here and in IQ4_XS: denser near zero, as weights are.
pub const VALUES: [i8; 16] = [
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
];

const _: () = assert_layout(DType::IQ4_NL, BLOCK_LEN, BLOCK_BYTES);

/// The 32 weights of a block.
pub fn dequantize(block: &[u8; BLOCK_BYTES], out: &mut [f32; BLOCK_LEN]) {
    let d = field::f16_at(block, D);
    for (j, &byte) in block[QS].iter().enumerate() {
        out[j] = d * f32::from(VALUES[usize::from(byte & 0x0f)]);
        out[j + 16] = d * f32::from(VALUES[usize::from(byte >> 4)]);
    }
}

/// Fits the scale by least squares, see the module `fit`.
pub fn quantize(x: &[f32; BLOCK_LEN], block: &mut [u8; BLOCK_BYTES]) {
    let ends = [VALUES[0], VALUES[15]].map(f32::from);
    let d = field::round_f16(fit::scale(x, &[1.0; BLOCK_LEN], ends, nearest_value));
    let inverse = fit::inverse(d);
    field::put_f16(block, D, d);
    field::pack_halves(&x.map(|x| nearest_code(x * inverse)), &mut block[QS]);
}

/// The code whose value is nearest to `v`; the lower of equals.
pub(super) fn nearest_code(v: f32) -> u8 {
    let mut code = 0;
    for pair in VALUES.windows(2) {
        let middle = 0.5 * (f32::from(pair[0]) + f32::from(pair[1]));
        code += u8::from(v > middle);
    }
    code
}

/// The one of [`VALUES`] that is nearest to `v`.
pub(super) fn nearest_value(v: f32) -> f32 {
    f32::from(VALUES[usize::from(nearest_code(v))])
}
