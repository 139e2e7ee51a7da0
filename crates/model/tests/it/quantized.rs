//! Models of every weight type: as near the f64 oracle as int8 activations allow.

use tensor::DType;
use testkit::distance::relative_rms;
use testkit::{Random, TinyModel, reference};

use crate::run::{level, load, logits};

/// Relative error of the logits of two layers. An int8 activation has an error of about 0.4 % of its
/// block's usual size, and what seven products in a row make of it stays near that; a scale, minimum
/// or sign taken wrong anywhere gives 10 % and more.
const INT8_BOUND: f64 = 0.03;
/// Activations that are rounded to bf16 are off by 1/512 at most.
const BF16_BOUND: f64 = 0.005;

fn error(tiny: &TinyModel) -> f64 {
    let gguf = tiny.build();
    let tokens = Random::new(8).tokens(12, tiny.vocab_size);
    let found = logits(&load(&gguf, level(), 2), &tokens, 12);
    relative_rms(&found, &reference::logits(&gguf, &tokens))
}

fn check(dtypes: impl Fn(DType) -> bool) {
    for &dtype in DType::ALL {
        if kernels::MatmulKernel::new(dtype, level()).is_none() || !dtypes(dtype) {
            continue;
        }
        let bound = match dtype {
            DType::F32 | DType::F16 => 1e-4,
            DType::BF16 => BF16_BOUND,
            _ => INT8_BOUND,
        };
        let error = error(&TinyModel::quantized(dtype));
        assert!(error <= bound, "{dtype}: relative error {error}");
    }
}

// Two tests, for two cores.
#[test]
fn every_even_type() {
    check(|dtype| dtype.ggml_id().is_multiple_of(2));
}

#[test]
fn every_odd_type() {
    check(|dtype| !dtype.ggml_id().is_multiple_of(2));
}

#[test]
fn types_mix_within_a_layer() {
    // As Q4_K_M files do; three products of one input take three forms of it.
    let mixed = vec![
        ("token_embd", DType::Q6_K),
        ("attn_v", DType::Q8_0),
        ("attn_k", DType::F16),
        ("ffn_down", DType::Q5_1),
        ("ffn_up", DType::BF16),
        ("output", DType::F32),
    ];
    let tiny = TinyModel {
        mixed,
        biases: &["attn", "ffn"],
        ..TinyModel::quantized(DType::Q4_K)
    };
    let error = error(&tiny);
    assert!(error <= INT8_BOUND, "relative error {error}");
}
