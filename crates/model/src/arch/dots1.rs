//! dots.llm1 (arXiv:2506.05767). Reference: transformers `modeling_dots1.py`.
//!
//! Differs from Qwen 3 so: experts as in DeepSeek-V3, each with a score of its own and a bias for the choice, a
//! network for every token, and first layers without experts.

use super::prelude::*;
use super::qwen3;

pub(super) const FAMILY: Family = Family {
    gguf_name: "dots1",
    models: "dots.llm1",
    config,
    hf: &[HuggingFace {
        names: SHARED_EXPERTS,
        metadata: |fields| {
            fields.only("scoring_func", &["sigmoid", "noaux_tc"])?;
            fields.only("topk_method", &["noaux_tc"])
        },
        ..HuggingFace::new("Dots1ForCausalLM")
    }],
};

pub(super) fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = qwen3::config(h, loader)?;
    for experts in config.experts_mut() {
        experts.gating = Gating::Sigmoid;
    }
    Ok(config)
}
