//! Every intermediate result of F32 models against the f64 oracle, tap by tap.

use formats::Gguf;
use formats::gguf::{Metadata, Value};
use model::config::Mixer;
use tensor::DType;
use testkit::distance::relative_rms;
use testkit::{Random, TinyModel, golden, reference};

use crate::run::{level, load, logits, taps};

/// Relative error that F32 arithmetic may have.
const BOUND: f64 = 2e-6;

/// Fails with the first tap that differs: everything before it is right.
fn check(what: &str, gguf: &Gguf, tokens: &[u32]) {
    let found = taps(&load(gguf, level(), 2), tokens, tokens.len());
    let cached = |name, layer| found.taps.get(&(name, Some(layer))).map(Vec::as_slice);
    let expected = reference::forward(gguf, tokens, cached);
    for name in &found.names {
        let expected = expected
            .get(name)
            .unwrap_or_else(|| panic!("no tap {name:?}"));
        let error = relative_rms(&found.taps[name], expected);
        assert!(
            error <= BOUND,
            "{what}: first difference at {name:?}, relative error {error:e}"
        );
    }
    assert_eq!(
        found.names.len(),
        expected.len(),
        "{what}: every tap of the oracle is there"
    );
}

fn check_tiny(what: &str, tiny: &TinyModel) {
    let tokens = Random::new(3).tokens(70, tiny.vocab_size);
    check(what, &tiny.build(), &tokens);
}

#[test]
fn plain_and_grouped_queries() {
    let tiny = TinyModel::default();
    check_tiny("grouped", &tiny);
    check_tiny(
        "one kv head",
        &TinyModel {
            n_kv_heads: 1,
            ..tiny.clone()
        },
    );
    check_tiny(
        "as many kv heads",
        &TinyModel {
            n_kv_heads: 4,
            ..tiny.clone()
        },
    );
    check_tiny(
        "tied",
        &TinyModel {
            tied: true,
            ..tiny.clone()
        },
    );
    check_tiny(
        "biases",
        &TinyModel {
            biases: &["attn", "ffn"],
            ..tiny
        },
    );
}

#[test]
fn odd_widths() {
    let tiny = TinyModel {
        d_model: 40,
        n_heads: 5,
        n_kv_heads: 5,
        d_ff: 36,
        ..TinyModel::default()
    };
    check_tiny(
        "heads of 8",
        &TinyModel {
            head_dim: 8,
            rope_dim: 8,
            ..tiny.clone()
        },
    );
    check_tiny(
        "heads of 20",
        &TinyModel {
            head_dim: 20,
            rope_dim: 20,
            ..tiny.clone()
        },
    );
    check_tiny(
        "heads of 80",
        &TinyModel {
            head_dim: 80,
            rope_dim: 80,
            ..tiny.clone()
        },
    );
    check_tiny(
        "heads of 2",
        &TinyModel {
            head_dim: 2,
            rope_dim: 2,
            vocab_size: 1,
            ..tiny
        },
    );
}

#[test]
fn rotary_variants() {
    let tiny = TinyModel::default();
    check_tiny(
        "part of a head",
        &TinyModel {
            rope_dim: 6,
            ..tiny.clone()
        },
    );
    check_tiny(
        "divisors",
        &TinyModel {
            rope_freqs: true,
            ..tiny.clone()
        },
    );
    check_tiny(
        "linear",
        &TinyModel {
            rope_linear: Some(4.0),
            ..tiny.clone()
        },
    );
    let both = TinyModel {
        rope_linear: Some(2.0),
        rope_freqs: true,
        ..tiny.clone()
    };
    check_tiny("linear and divisors", &both);
    check_tiny(
        "theta",
        &TinyModel {
            rope_theta: 5e5,
            ..tiny
        },
    );
}

#[test]
fn windows() {
    for window in [1, 5, 32, 33] {
        let tiny = TinyModel {
            window: Some(window),
            ..TinyModel::default()
        };
        check_tiny(&format!("window of {window}"), &tiny);
    }
}

#[test]
fn families() {
    check_tiny("qwen2", &TinyModel::qwen2());
    check_tiny("gemma2", &TinyModel::gemma2());
    let part_of_a_head = TinyModel {
        rope_dim: 6,
        n_layers: 3,
        window: Some(33),
        ..TinyModel::gemma2()
    };
    check_tiny("gemma2, part of a head", &part_of_a_head);
}

#[test]
fn gemma2_of_46_layers_scales_scores_by_its_width() {
    let tiny = TinyModel {
        n_layers: 46,
        n_heads: 2,
        ..TinyModel::gemma2()
    };
    let scale = |tiny: &TinyModel| {
        let model = load(&tiny.build(), level(), 1);
        let Mixer::Attention(attention) = &model.config().layers[0].mixer else {
            panic!("a model with attention");
        };
        attention.scale
    };
    assert_eq!(scale(&tiny), 1.0 / 32.0_f32.sqrt());
    let other = TinyModel {
        n_layers: 2,
        ..tiny
    };
    assert_eq!(scale(&other), 1.0 / 16.0_f32.sqrt());
}

#[test]
fn float_weights_of_two_bytes() {
    check_tiny(
        "F16",
        &TinyModel {
            dtype: DType::F16,
            ..TinyModel::default()
        },
    );
}

#[test]
fn stories260k() {
    let gguf = Gguf::open(golden::path("models/stories260K-f32.gguf")).unwrap();
    let golden = golden::json("llama/stories260k.json");
    let mut tokens = golden::tokens(&golden["prompt_tokens"]);
    tokens.extend(golden::tokens(&golden["tokens"]));
    tokens.pop();
    check("stories260K", &gguf, &tokens[..100]);
    // llama.cpp's choice at each step is the best logit here too.
    let logits = logits(&load(&gguf, level(), 2), &tokens, tokens.len());
    let rows = logits.chunks_exact(logits.len() / tokens.len());
    let best: Vec<u32> = rows
        .map(|row| testkit::distance::best(row).0 as u32)
        .collect();
    assert_eq!(best, golden::tokens(&golden["tokens"]));
}

/// The same factor under each of the names that files have for it.
#[test]
fn a_linear_factor_needs_no_type() {
    let tiny = TinyModel {
        rope_linear: Some(4.0),
        ..TinyModel::default()
    };
    let run = |gguf: &Gguf| logits(&load(gguf, level(), 1), &[3, 1, 4, 1, 5], 5);
    let typed = tiny.build();
    let expected = run(&typed);
    let key = |name: &str| format!("llama.rope.{name}");
    for kept in [Some("scaling.factor"), Some("scale_linear"), None] {
        let (metadata, tensors) = typed.clone().into_parts();
        let mut other = Metadata::new();
        for (name, value) in metadata.iter() {
            if !name.starts_with(&key("scal")) {
                other.insert(name, value.clone());
            }
        }
        if let Some(kept) = kept {
            other.insert(&key(kept), Value::F32(4.0));
        }
        let other = Gguf::from_parts(other, tensors).expect("sound");
        assert_eq!(run(&other) == expected, kept.is_some(), "{kept:?}");
    }
}
