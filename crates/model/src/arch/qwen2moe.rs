//! Qwen 1.5 and 2 MoE (arXiv:2407.10671). Reference: transformers `modeling_qwen2_moe.py`.
//!
//! Differs from Qwen 2 by its experts: weights are not divided by their sum, and every token also goes through
//! a shared network with a weight of its own.

use super::prelude::*;
use super::qwen2;

pub(super) const FAMILY: Family = Family {
    gguf_name: "qwen2moe",
    models: "Qwen 1.5 MoE, 2 MoE",
    config,
    hf: &[HuggingFace::new("Qwen2MoeForCausalLM")],
};

pub(super) fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = qwen2::config(h, loader)?;
    for experts in config.experts_mut() {
        experts.normalise = h.opt("expert_weights_norm")?.unwrap_or(false);
    }
    Ok(config)
}
