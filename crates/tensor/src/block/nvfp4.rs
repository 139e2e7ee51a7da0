//! NVFP4: 64 weights as 4-bit floats; 4 groups of 16, each with a small unsigned float as scale.
//!
//! ```text
//! byte 0   d    4 × unsigned E4M3 (bias 7), one a group
//! byte 4   qs   4 × 8 bytes; in a group, low nibbles are weights 0..8, high ones 8..16
//! ```
//! `w = E4M3(d) * E2M1(q)`
//!
//! The second scale of NVIDIA's format, one f32 for a tensor, is a tensor of its own in GGUF files
//! and not applied here. As in MXFP4 the table holds doubled values and the scale is halved.

use std::ops::Range;

use super::field::{self, assert_layout};
use super::fit;
use super::mxfp4::VALUES;
use crate::DType;

/// Weights in a block.
pub const BLOCK_LEN: usize = 64;
/// Bytes of a block.
pub const BLOCK_BYTES: usize = 36;
/// The scales.
pub const D: Range<usize> = 0..4;
/// The packed codes.
pub const QS: Range<usize> = 4..36;
/// Weights that share a scale.
pub const GROUP_LEN: usize = 16;

const _: () = assert_layout(DType::NVFP4, BLOCK_LEN, BLOCK_BYTES);

/// The 64 weights of a block.
pub fn dequantize(block: &[u8; BLOCK_BYTES], out: &mut [f32; BLOCK_LEN]) {
    let groups = out
        .chunks_exact_mut(GROUP_LEN)
        .zip(block[QS].chunks_exact(8));
    for ((group, bytes), &d) in groups.zip(&block[D]) {
        let dl = scale(d);
        for (j, &byte) in bytes.iter().enumerate() {
            group[j] = dl * f32::from(VALUES[usize::from(byte & 0x0f)]);
            group[j + 8] = dl * f32::from(VALUES[usize::from(byte >> 4)]);
        }
    }
}

/// Maps the greatest magnitude of a group to the greatest code, 6, and takes the nearest codes.
pub fn quantize(x: &[f32; BLOCK_LEN], block: &mut [u8; BLOCK_BYTES]) {
    for (g, x) in x.as_chunks::<GROUP_LEN>().0.iter().enumerate() {
        let d = encode_scale(fit::magnitude(x) / 6.0);
        let dl = scale(d);
        let codes = x.map(|x| fit::nearest_index(&VALUES, dl, x));
        block[D][g] = d;
        field::pack_halves(&codes, &mut block[QS][8 * g..8 * g + 8]);
    }
}

/// Half of what an unsigned E4M3 stands for, to go with the doubled [`VALUES`].
///
/// The top bit is ignored. 0x7f, the standard's NaN, reads as 0.
#[inline]
pub fn scale(d: u8) -> f32 {
    let exponent = u32::from(d >> 3) & 0x0f;
    let mantissa = u32::from(d & 7);
    if d == 0x7f {
        0.0
    } else if exponent == 0 {
        mantissa as f32 * (0.5 / 512.0)
    } else {
        // The value is (8 + mantissa) / 8 * 2^(exponent - 7); an f32's exponent is biased by 127.
        f32::from_bits((exponent + 127 - 7 - 1) << 23 | mantissa << 20)
    }
}

/// The unsigned E4M3 near `value` that ggml's writer takes; its greatest is 448.
///
/// Halves round up. Two of its habits are kept, so that blocks come out the same: what rounds past
/// the greatest subnormal stays there, and what rounds to 256 or more becomes 448.
pub fn encode_scale(value: f32) -> u8 {
    const MAX: u8 = 0x7e;
    if value.is_nan() || value <= 0.0 {
        return 0;
    }
    let bits = value.to_bits();
    let exponent = (bits >> 23) as i32 - 127 + 7;
    match exponent {
        ..=0 => (value * 512.0 + 0.5).min(7.0) as u8,
        1..=14 => {
            // Rounding may carry out of the mantissa into the exponent, as it should.
            let rounded = ((exponent as u32) << 4 | (bits >> 19) & 0x0f).div_ceil(2) as u8;
            if rounded < 15 << 3 { rounded } else { MAX }
        }
        _ => MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_below_256_round_trip() {
        for d in 0..0x78 {
            assert_eq!(encode_scale(2.0 * scale(d)), d);
        }
    }
}
