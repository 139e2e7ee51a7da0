//! TQ1_0: 256 ternary weights in about 1.69 bits, five to a byte, with one scale.
//!
//! ```text
//! byte 0    qs   48 bytes of five trits: byte m < 32 holds weights m + 32 n,
//!                byte 32 + m (m < 16) weights 160 + m + 16 n, n = 0..5
//! byte 48   qh   4 bytes of four trits: byte m holds weights 240 + m + 4 n, n = 0..4
//! byte 52   d    f16
//! ```
//! `w = d * (trit - 1)`
//!
//! A byte is the fraction `0.t0 t1 t2 t3 t4` of base 3, scaled by 256 and rounded up, so
//! multiplying by 3 carries the next trit out of the byte: no division to read it.

use std::ops::Range;

use super::field::{self, assert_layout};
use super::fit;
use crate::DType;

/// Weights in a block.
pub const BLOCK_LEN: usize = 256;
/// Bytes of a block.
pub const BLOCK_BYTES: usize = 54;
/// Bytes of five trits.
pub const QS: Range<usize> = 0..48;
/// Bytes of four trits.
pub const QH: Range<usize> = 48..52;
/// Offset of the scale.
pub const D: usize = 52;

const _: () = assert_layout(DType::TQ1_0, BLOCK_LEN, BLOCK_BYTES);

/// The 256 weights of a block.
pub fn dequantize(block: &[u8; BLOCK_BYTES], out: &mut [f32; BLOCK_LEN]) {
    let d = field::f16_at(block, D);
    for (i, w) in out.iter_mut().enumerate() {
        let (byte, n) = place(i);
        *w = d * f32::from(trit(block[byte], n) as i8 - 1);
    }
}

/// Rounds to -1, 0 or 1 times the greatest magnitude, halves away from 0.
///
/// Right for weights that are ternary already; of others it keeps little.
pub fn quantize(x: &[f32; BLOCK_LEN], block: &mut [u8; BLOCK_BYTES]) {
    let d = fit::magnitude(x);
    let inverse = fit::inverse(d);
    let mut digits = [0u16; BLOCK_BYTES];
    for (i, x) in x.iter().enumerate() {
        let (byte, n) = place(i);
        let trit = (fit::ternary(x * inverse) + 1) as u16;
        digits[byte] += trit * [81, 27, 9, 3, 1][n];
    }
    for (byte, digits) in block[..D].iter_mut().zip(digits) {
        *byte = (digits * 256).div_ceil(243) as u8;
    }
    field::put_f16(block, D, d);
}

/// Byte of the block and place within it that hold weight `i`.
#[inline]
pub fn place(i: usize) -> (usize, usize) {
    match i {
        0..160 => (i % 32, i / 32),
        160..240 => (32 + (i - 160) % 16, (i - 160) / 16),
        _ => (48 + (i - 240) % 4, (i - 240) / 4),
    }
}

/// Trit `n` of a byte, 0..=2.
#[inline]
pub fn trit(byte: u8, n: usize) -> u8 {
    const POWERS: [u8; 5] = [1, 3, 9, 27, 81];
    let fraction = byte.wrapping_mul(POWERS[n]);
    ((u16::from(fraction) * 3) >> 8) as u8
}
