//! Command R and R+, Aya 23 (Cohere 2024). Reference: transformers `modeling_cohere.py`.
//!
//! Differs from Llama so: LayerNorm without bias; attention and FFN stand side by side behind one norm; logits have
//! a factor; R+ norms each head of query and key.

use super::llama;
use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    gguf_name: "command-r",
    models: "Command R, R+, Aya 23",
    config,
    hf: &[HuggingFace {
        keys: &[("logit_scale", "logit_scale")],
        metadata: |fields| fields.only("position_embedding_type", &["rope_gptj"]),
        ..HuggingFace::new("CohereForCausalLM")
    }],
};

pub(super) fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = llama::config(h, loader)?;
    config.logit_scale = h.opt("logit_scale")?;
    config.set_parallel(false);
    if loader.has(Role::QueryNorm, 0) {
        config.set_qk_norm(QkNormOver::EachHead);
    }
    Ok(config)
}
