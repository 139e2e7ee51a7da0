//! GLM 4 0414 (THUDM 2025). Reference: transformers `modeling_glm4.py`.
//!
//! Differs from Llama so: what attention and FFN give is normed before it is added; only half of a head turns;
//! gate and up are one matrix; query, key and value have biases.

use super::llama;
use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    gguf_name: "glm4",
    models: "GLM 4 0414, GLM Z1",
    config,
    hf: &[HuggingFace {
        names: &[
            (
                Role::MixerPostNorm,
                "model.layers.{i}.post_self_attn_layernorm",
            ),
            (Role::FfnNorm, "model.layers.{i}.post_attention_layernorm"),
            (Role::FfnPostNorm, "model.layers.{i}.post_mlp_layernorm"),
            (Role::FfnUp, "model.layers.{i}.mlp.gate_up_proj"),
        ],
        ..HuggingFace::new("Glm4ForCausalLM")
    }],
};

fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = llama::config(h, loader)?;
    config.set_post_norms();
    Ok(config)
}
