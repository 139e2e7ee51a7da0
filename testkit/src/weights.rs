//! Weights of any type: random ones to put into files, and those of files as plain numbers.

use formats::{Gguf, GgufWriter};
use half::f16;
use tensor::DType;

use crate::Random;

/// `len` random weights of `dtype`, normally distributed with standard deviation `scale` or near it.
///
/// Codebook types have no writer: their blocks are random bytes whose one scale is set so that
/// the weights come out at that size.
pub fn random(dtype: DType, len: usize, scale: f32, random: &mut Random) -> Vec<u8> {
    let row_bytes = dtype.row_bytes(len).expect("whole blocks");
    let floats = random.normals(len, scale);
    let mut bytes = vec![0; row_bytes];
    if tensor::quantize(dtype, &floats, &mut bytes).is_ok() {
        return bytes;
    }
    bytes
        .iter_mut()
        .for_each(|byte| *byte = random.bits() as u8);
    set_scales(dtype, &mut bytes, 1.0);
    let squares = dequantized(dtype, &bytes)
        .iter()
        .map(|w| w * w)
        .sum::<f32>();
    set_scales(dtype, &mut bytes, scale / (squares / len as f32).sqrt());
    bytes
}

/// Sets the f16 that every weight of a block is multiplied with.
fn set_scales(dtype: DType, bytes: &mut [u8], scale: f32) {
    let d = f16::from_f32(scale).to_bits();
    for block in bytes.chunks_exact_mut(dtype.block_bytes()) {
        if dtype == DType::IQ1_M {
            // Its four nibbles are the top ones of four u16.
            for i in 0..4 {
                let byte = &mut block[48 + 2 * i + 1];
                *byte = *byte & 15 | ((d >> (4 * i)) as u8 & 15) << 4;
            }
        } else {
            block[..2].copy_from_slice(&d.to_le_bytes());
        }
    }
}

/// All weights as f32.
pub fn dequantized(dtype: DType, bytes: &[u8]) -> Vec<f32> {
    let len = bytes.len() / dtype.block_bytes() * dtype.block_len();
    let mut out = vec![0.0; len];
    tensor::dequantize(dtype, bytes, &mut out);
    out
}

/// The same model with every tensor as F32: no arithmetic on it rounds anything to int8.
pub fn to_f32(gguf: &Gguf) -> Gguf {
    let mut writer = GgufWriter::new(gguf.metadata().clone()).expect("metadata of a valid file");
    for tensor in gguf.tensors() {
        let floats = dequantized(tensor.dtype, &tensor.data);
        let mut bytes = vec![0; 4 * floats.len()];
        tensor::quantize(DType::F32, &floats, &mut bytes).expect("F32 has a writer");
        writer
            .tensor(&tensor.name, DType::F32, &tensor.shape, bytes)
            .expect("a tensor of a valid file");
    }
    let mut file = Vec::new();
    writer.write(&mut file).expect("memory takes everything");
    Gguf::parse(file).expect("what was just written")
}
