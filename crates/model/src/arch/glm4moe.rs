//! GLM 4.5, 4.5 Air, 4.6 (arXiv:2508.06471). Reference: transformers `modeling_glm4_moe.py`.
//!
//! Differs from Llama so: rotary positions turn `i` with `i + dim / 2` of half a head; query, key and value have
//! biases, the large model norms heads of query and key; experts as in DeepSeek-V3.

use super::llama;
use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    gguf_name: "glm4moe",
    models: "GLM 4.5, 4.5 Air, 4.6",
    config,
    hf: &[HuggingFace {
        names: SHARED_EXPERTS,
        ..HuggingFace::new("Glm4MoeForCausalLM")
    }],
};

fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = llama::config(h, loader)?;
    config.set_pairing(Pairing::HalfSplit);
    if loader.has(Role::QueryNorm, 0) {
        config.set_qk_norm(QkNormOver::Head);
    }
    for experts in config.experts_mut() {
        experts.gating = Gating::Sigmoid;
    }
    Ok(config)
}
