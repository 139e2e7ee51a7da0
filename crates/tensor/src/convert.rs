//! Whole runs of blocks to `f32` and back, for any [`DType`].

use std::fmt;

use crate::DType;
use crate::block::*;
use half::f16;

/// Writes the weights in `src` to `dst`.
///
/// `src` holds whole blocks of `dtype`, `dst` exactly as many floats as they have weights. Integers
/// and f64 become the nearest f32.
///
/// # Panics
/// If the sizes do not match.
pub fn dequantize(dtype: DType, src: &[u8], dst: &mut [f32]) {
    assert_eq!(
        dtype.row_bytes(dst.len()),
        Some(src.len()),
        "{} weights of {dtype} do not take the {} bytes given",
        dst.len(),
        src.len()
    );
    match dtype {
        DType::F32 => each(src, dst, f32::from_le_bytes),
        DType::F16 => each(src, dst, |b| f16::from_le_bytes(b).to_f32()),
        // Not `half`, which makes NaNs quiet.
        DType::BF16 => each(src, dst, |b| {
            f32::from_bits(u32::from(u16::from_le_bytes(b)) << 16)
        }),
        DType::F64 => each(src, dst, |b| f64::from_le_bytes(b) as f32),
        DType::I8 => each(src, dst, |b| f32::from(i8::from_le_bytes(b))),
        DType::I16 => each(src, dst, |b| f32::from(i16::from_le_bytes(b))),
        DType::I32 => each(src, dst, |b| i32::from_le_bytes(b) as f32),
        DType::I64 => each(src, dst, |b| i64::from_le_bytes(b) as f32),
        DType::Q4_0 => blocks(src, dst, q4_0::dequantize),
        DType::Q4_1 => blocks(src, dst, q4_1::dequantize),
        DType::Q5_0 => blocks(src, dst, q5_0::dequantize),
        DType::Q5_1 => blocks(src, dst, q5_1::dequantize),
        DType::Q8_0 => blocks(src, dst, q8_0::dequantize),
        DType::Q2_K => blocks(src, dst, q2_k::dequantize),
        DType::Q3_K => blocks(src, dst, q3_k::dequantize),
        DType::Q4_K => blocks(src, dst, q4_k::dequantize),
        DType::Q5_K => blocks(src, dst, q5_k::dequantize),
        DType::Q6_K => blocks(src, dst, q6_k::dequantize),
        DType::Q1_0 => blocks(src, dst, q1_0::dequantize),
        DType::Q2_0 => blocks(src, dst, q2_0::dequantize),
        DType::Q8_1 => blocks(src, dst, q8_1::dequantize),
        DType::Q8_K => blocks(src, dst, q8_k::dequantize),
        DType::IQ1_M => blocks(src, dst, iq1_m::dequantize),
        DType::IQ1_S => blocks(src, dst, iq1_s::dequantize),
        DType::IQ2_S => blocks(src, dst, iq2_s::dequantize),
        DType::IQ2_XS => blocks(src, dst, iq2_xs::dequantize),
        DType::IQ2_XXS => blocks(src, dst, iq2_xxs::dequantize),
        DType::IQ3_S => blocks(src, dst, iq3_s::dequantize),
        DType::IQ3_XXS => blocks(src, dst, iq3_xxs::dequantize),
        DType::IQ4_NL => blocks(src, dst, iq4_nl::dequantize),
        DType::IQ4_XS => blocks(src, dst, iq4_xs::dequantize),
        DType::MXFP4 => blocks(src, dst, mxfp4::dequantize),
        DType::NVFP4 => blocks(src, dst, nvfp4::dequantize),
        DType::TQ1_0 => blocks(src, dst, tq1_0::dequantize),
        DType::TQ2_0 => blocks(src, dst, tq2_0::dequantize),
    }
}

/// No reference quantiser writes this type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoQuantizer(pub DType);

impl fmt::Display for NoQuantizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no quantiser for `{}`", self.0)
    }
}

impl std::error::Error for NoQuantizer {}

/// Plain numbers of `B` bytes each.
fn each<const B: usize>(src: &[u8], dst: &mut [f32], decode: impl Fn([u8; B]) -> f32) {
    for (w, bytes) in dst.iter_mut().zip(src.as_chunks().0) {
        *w = decode(*bytes);
    }
}

/// Blocks of `L` weights in `B` bytes.
fn blocks<const L: usize, const B: usize>(
    src: &[u8],
    dst: &mut [f32],
    decode: impl Fn(&[u8; B], &mut [f32; L]),
) {
    for (block, out) in src.as_chunks().0.iter().zip(dst.as_chunks_mut().0) {
        decode(block, out);
    }
}
