//! gpt-oss (arXiv:2508.10925). Reference: transformers `modeling_gpt_oss.py`.
//!
//! Differs from Llama so: heads have a sink, a key without a value; every other layer sees a window; rotary
//! positions turn `i` with `i + dim / 2`, stretched by YaRN; experts have biases and a clamped SwiGLU, and their
//! weights are the softmax of those chosen. Everything has biases. Folders have gate and up of an expert column
//! by column.

use super::llama;
use super::prelude::*;
use crate::rope::smooth_yarn;

/// Of the clamped SwiGLU.
const ALPHA: f32 = 1.702;
const LIMIT: f32 = 7.0;

pub(super) const FAMILY: Family = Family {
    gguf_name: "gpt-oss",
    models: "gpt-oss 20B, 120B",
    config,
    hf: &[HuggingFace {
        names: &[
            (Role::Router, "model.layers.{i}.mlp.router"),
            (
                Role::ExpertGates,
                "model.layers.{i}.mlp.experts.gate_up_proj",
            ),
        ],
        keys: &[("experts_per_token", "expert_used_count")],
        metadata: |fields| {
            fields.only("rope_parameters.truncate", &["false"])?;
            fields.only("rope_scaling.truncate", &["false"])?;
            fields.only("swiglu_limit", &["7.0"])?;
            fields.only("swiglu_alpha", &["1.702"])?;
            fields.only("initial_context_length", &["4096"])
        },
        rows: &[
            (
                Role::ExpertGates,
                Rows::ExpertsTransposed(&[Role::ExpertGates, Role::ExpertUps]),
            ),
            (
                Role::ExpertDowns,
                Rows::ExpertsTransposed(&[Role::ExpertDowns]),
            ),
        ],
        ..HuggingFace::new("GptOssForCausalLM")
    }],
};

fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = llama::config(h, loader)?;
    let windowed = h.windowed_layers(config.layers.len(), 2)?;
    for (attention, windowed) in config.attentions_mut().zip(windowed) {
        let rope = smooth_yarn(h, attention.head_dim, Pairing::HalfSplit)?;
        attention.rope = Some(rope);
        attention.window = attention.window.filter(|_| windowed);
    }
    for experts in config.experts_mut() {
        experts.gating = Gating::SoftmaxOfChosen;
        experts.normalise = false;
        experts.activation = Activation::ClampedSwiglu {
            alpha: ALPHA,
            limit: LIMIT,
        };
    }
    Ok(config)
}
