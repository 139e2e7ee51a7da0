//! Whole runs of blocks to `f32` and back, for any [`DType`].

use std::fmt;

use half::{bf16, f16};

use crate::DType;
use crate::block::*;

/// Writes the weights in `src` to `dst`.
///
/// `src` holds whole blocks of `dtype`, `dst` exactly as many floats as they have weights. Integers
/// and f64 become the nearest f32.
///
/// # Panics
/// If the sizes do not match.
pub fn dequantize(dtype: DType, src: &[u8], dst: &mut [f32]) {
    assert_sizes(dtype, dst.len(), src.len());
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
        DType::Q1_0 => blocks(src, dst, q1_0::dequantize),
        DType::Q2_0 => blocks(src, dst, q2_0::dequantize),
        DType::Q4_0 => blocks(src, dst, q4_0::dequantize),
        DType::Q4_1 => blocks(src, dst, q4_1::dequantize),
        DType::Q5_0 => blocks(src, dst, q5_0::dequantize),
        DType::Q5_1 => blocks(src, dst, q5_1::dequantize),
        DType::Q8_0 => blocks(src, dst, q8_0::dequantize),
        DType::Q8_1 => blocks(src, dst, q8_1::dequantize),
        DType::Q2_K => blocks(src, dst, q2_k::dequantize),
        DType::Q3_K => blocks(src, dst, q3_k::dequantize),
        DType::Q4_K => blocks(src, dst, q4_k::dequantize),
        DType::Q5_K => blocks(src, dst, q5_k::dequantize),
        DType::Q6_K => blocks(src, dst, q6_k::dequantize),
        DType::Q8_K => blocks(src, dst, q8_k::dequantize),
        DType::IQ1_S => blocks(src, dst, iq1_s::dequantize),
        DType::IQ1_M => blocks(src, dst, iq1_m::dequantize),
        DType::IQ2_XXS => blocks(src, dst, iq2_xxs::dequantize),
        DType::IQ2_XS => blocks(src, dst, iq2_xs::dequantize),
        DType::IQ2_S => blocks(src, dst, iq2_s::dequantize),
        DType::IQ3_XXS => blocks(src, dst, iq3_xxs::dequantize),
        DType::IQ3_S => blocks(src, dst, iq3_s::dequantize),
        DType::IQ4_NL => blocks(src, dst, iq4_nl::dequantize),
        DType::IQ4_XS => blocks(src, dst, iq4_xs::dequantize),
        DType::MXFP4 => blocks(src, dst, mxfp4::dequantize),
        DType::NVFP4 => blocks(src, dst, nvfp4::dequantize),
        DType::TQ1_0 => blocks(src, dst, tq1_0::dequantize),
        DType::TQ2_0 => blocks(src, dst, tq2_0::dequantize),
    }
}

/// Writes `src` to `dst` as blocks of `dtype`.
///
/// `src` is a whole number of blocks, `dst` exactly as long as they are. Numbers that are not
/// finite or beyond what the type's scales reach come out as some other number. Integer types round to
/// nearest.
///
/// # Errors
/// If no writer is here for the type: the IQ types that pick patterns out of a codebook.
///
/// # Panics
/// If the sizes do not match.
pub fn quantize(dtype: DType, src: &[f32], dst: &mut [u8]) -> Result<(), NoQuantizer> {
    assert_sizes(dtype, src.len(), dst.len());
    match dtype {
        DType::F32 => put_each(src, dst, f32::to_le_bytes),
        DType::F16 => put_each(src, dst, |x| f16::from_f32(x).to_le_bytes()),
        DType::BF16 => put_each(src, dst, |x| bf16::from_f32(x).to_le_bytes()),
        DType::F64 => put_each(src, dst, |x| f64::from(x).to_le_bytes()),
        DType::I8 => put_each(src, dst, |x| (x.round() as i8).to_le_bytes()),
        DType::I16 => put_each(src, dst, |x| (x.round() as i16).to_le_bytes()),
        DType::I32 => put_each(src, dst, |x| (x.round() as i32).to_le_bytes()),
        DType::I64 => put_each(src, dst, |x| (x.round() as i64).to_le_bytes()),
        DType::Q1_0 => put_blocks(src, dst, q1_0::quantize),
        DType::Q2_0 => put_blocks(src, dst, q2_0::quantize),
        DType::Q4_0 => put_blocks(src, dst, q4_0::quantize),
        DType::Q4_1 => put_blocks(src, dst, q4_1::quantize),
        DType::Q5_0 => put_blocks(src, dst, q5_0::quantize),
        DType::Q5_1 => put_blocks(src, dst, q5_1::quantize),
        DType::Q8_0 => put_blocks(src, dst, q8_0::quantize),
        DType::Q8_1 => put_blocks(src, dst, q8_1::quantize),
        DType::Q2_K => put_blocks(src, dst, q2_k::quantize),
        DType::Q3_K => put_blocks(src, dst, q3_k::quantize),
        DType::Q4_K => put_blocks(src, dst, q4_k::quantize),
        DType::Q5_K => put_blocks(src, dst, q5_k::quantize),
        DType::Q6_K => put_blocks(src, dst, q6_k::quantize),
        DType::Q8_K => put_blocks(src, dst, q8_k::quantize),
        DType::IQ4_NL => put_blocks(src, dst, iq4_nl::quantize),
        DType::IQ4_XS => put_blocks(src, dst, iq4_xs::quantize),
        DType::MXFP4 => put_blocks(src, dst, mxfp4::quantize),
        DType::NVFP4 => put_blocks(src, dst, nvfp4::quantize),
        DType::TQ1_0 => put_blocks(src, dst, tq1_0::quantize),
        DType::TQ2_0 => put_blocks(src, dst, tq2_0::quantize),
        DType::IQ1_S
        | DType::IQ1_M
        | DType::IQ2_XXS
        | DType::IQ2_XS
        | DType::IQ2_S
        | DType::IQ3_XXS
        | DType::IQ3_S => return Err(NoQuantizer(dtype)),
    }
    Ok(())
}

/// No writer is here for this type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoQuantizer(pub DType);

impl fmt::Display for NoQuantizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no quantiser for `{}`", self.0)
    }
}

impl std::error::Error for NoQuantizer {}

#[track_caller]
fn assert_sizes(dtype: DType, weights: usize, bytes: usize) {
    assert_eq!(
        dtype.row_bytes(weights),
        Some(bytes),
        "{weights} weights of {dtype} do not take the {bytes} bytes given"
    );
}

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

/// The way back of [`each`].
fn put_each<const B: usize>(src: &[f32], dst: &mut [u8], encode: impl Fn(f32) -> [u8; B]) {
    for (&x, bytes) in src.iter().zip(dst.as_chunks_mut().0) {
        *bytes = encode(x);
    }
}

/// The way back of [`blocks`].
fn put_blocks<const L: usize, const B: usize>(
    src: &[f32],
    dst: &mut [u8],
    encode: impl Fn(&[f32; L], &mut [u8; B]),
) {
    for (x, block) in src.as_chunks().0.iter().zip(dst.as_chunks_mut().0) {
        encode(x, block);
    }
}
