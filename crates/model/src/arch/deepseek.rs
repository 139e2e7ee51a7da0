//! DeepSeek MoE and DeepSeek LLM in its form (arXiv:2401.06066). Reference: layers of transformers' `modeling_llama.py`
//! with the experts of `modeling_deepseek_v2.py`.
//!
//! Differs from Llama so: experts behind first layers without, whose weights are not divided by their sum, and a
//! network for every token.

use super::llama;
use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    gguf_name: "deepseek",
    models: "DeepSeek MoE",
    config,
    hf: &[HuggingFace {
        names: SHARED_EXPERTS,
        metadata: |fields| fields.only("scoring_func", &["softmax"]),
        permuted: true,
        ..HuggingFace::new("DeepseekForCausalLM")
    }],
};

fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = llama::config(h, loader)?;
    for experts in config.experts_mut() {
        experts.normalise = h.opt("expert_weights_norm")?.unwrap_or(false);
    }
    Ok(config)
}
