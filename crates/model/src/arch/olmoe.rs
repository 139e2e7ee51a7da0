//! OLMoE (arXiv:2409.02060). Reference: transformers `modeling_olmoe.py`.
//!
//! Differs from Llama so: experts, whose weights are not divided by their sum; all heads of query and key
//! together are normed; rotary positions turn `i` with `i + dim / 2`.

use super::llama;
use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    gguf_name: "olmoe",
    models: "OLMoE",
    config,
    hf: &[HuggingFace {
        keys: &[("clip_qkv", "attention.clamp_kqv")],
        metadata: |fields| {
            fields.set("attention.layer_norm_rms_epsilon", Value::F32(1e-5));
            Ok(())
        },
        ..HuggingFace::new("OlmoeForCausalLM")
    }],
};

pub(super) fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = llama::config(h, loader)?;
    config.set_pairing(Pairing::HalfSplit);
    config.set_qk_norm(QkNormOver::All);
    for experts in config.experts_mut() {
        experts.normalise = h.opt("expert_weights_norm")?.unwrap_or(false);
    }
    Ok(config)
}
