//! Every type against the reference's numbers, bit for bit. `golden/quant/make.py` has the formats.

use std::fs;
use std::path::PathBuf;

use tensor::{DType, dequantize, quantize};

#[test]
fn every_block_reads_as_in_the_reference() {
    for &dtype in DType::ALL.iter().filter(|dtype| dtype.is_quantized()) {
        let file = read(dtype, "blocks");
        let n = dtype.block_bytes();
        assert!(
            !file.is_empty() && file.len().is_multiple_of(n + 24),
            "{dtype}: bad fixture"
        );
        for (i, record) in file.chunks_exact(n + 24).enumerate() {
            let (block, rest) = record.split_at(n);
            let (hash, samples) = rest.split_at(8);
            let mut out = vec![f32::NAN; dtype.block_len()];
            dequantize(dtype, block, &mut out);

            let len = out.len();
            let found = bytes(&[out[0], out[len / 3], out[2 * len / 3], out[len - 1]]);
            assert_eq!(
                floats(&found),
                floats(samples),
                "{dtype}, block {i}: samples"
            );
            let hash = u64::from_le_bytes(hash.try_into().unwrap());
            assert_eq!(fnv1a(&bytes(&out)), hash, "{dtype}, block {i}: {out:?}");
        }
    }
}

#[test]
fn weights_are_written_as_by_the_reference() {
    use DType::*;
    let weights = floats(&load("weights.f32"));
    for dtype in [
        F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q8_1, Q8_K, TQ1_0, TQ2_0, MXFP4, NVFP4, Q1_0,
    ] {
        let expected = read(dtype, "quant");
        let mut found = vec![0xaa; dtype.row_bytes(weights.len()).unwrap()];
        quantize(dtype, &weights, &mut found).unwrap();
        assert_eq!(found.len(), expected.len(), "{dtype}");
        let n = dtype.block_bytes();
        for (i, (found, expected)) in found.chunks(n).zip(expected.chunks(n)).enumerate() {
            let row = i * dtype.block_len() / 256;
            assert_eq!(
                found, expected,
                "{dtype}, block {i}, in row {row} of the weights"
            );
        }
    }
}

#[test]
fn plain_numbers_read_as_they_are() {
    let mut out = [0.0; 2];
    dequantize(DType::F32, &bytes(&[1.5, -0.0]), &mut out);
    assert_eq!(bits(&out), bits(&[1.5, -0.0]));
    dequantize(DType::F16, &[0x00, 0xc0, 0x01, 0x00], &mut out);
    assert_eq!(out, [-2.0, 2.0f32.powi(-24)]);
    dequantize(DType::BF16, &[0x80, 0xbf, 0x81, 0x7f], &mut out);
    assert_eq!(
        bits(&out),
        [0xbf80_0000, 0x7f81_0000],
        "a signalling NaN stays as it is"
    );
    dequantize(
        DType::F64,
        &[0.1f64.to_le_bytes(), 1e300f64.to_le_bytes()].concat(),
        &mut out,
    );
    assert_eq!(out, [0.1, f32::INFINITY]);
    dequantize(DType::I8, &[0x80, 0x7f], &mut out);
    assert_eq!(out, [-128.0, 127.0]);
    dequantize(DType::I16, &[0x00, 0x80, 0xff, 0x7f], &mut out);
    assert_eq!(out, [-32768.0, 32767.0]);
    dequantize(
        DType::I32,
        &[(-5i32).to_le_bytes(), 7i32.to_le_bytes()].concat(),
        &mut out,
    );
    assert_eq!(out, [-5.0, 7.0]);
    dequantize(
        DType::I64,
        &[i64::MIN.to_le_bytes(), 7i64.to_le_bytes()].concat(),
        &mut out,
    );
    assert_eq!(out, [-(2.0f32.powi(63)), 7.0]);
}

#[test]
#[should_panic(expected = "33 weights of Q4_0 do not take the 18 bytes given")]
fn a_size_that_does_not_match_is_refused() {
    dequantize(DType::Q4_0, &[0; 18], &mut [0.0; 33]);
}

/// The fixture of a type, for instance `q4_k.blocks`.
fn read(dtype: DType, extension: &str) -> Vec<u8> {
    load(&format!("{}.{extension}", dtype.name().to_lowercase()))
}

fn load(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../golden/quant")
        .join(name);
    fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
        .collect()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
