//! OLMo (arXiv:2402.00838). Reference: transformers `modeling_olmo.py`.
//!
//! Differs from Llama so: LayerNorm without gain and bias; queries, keys and values may have a bound.

use super::llama;
use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    gguf_name: "olmo",
    models: "OLMo",
    config,
    hf: &[HuggingFace {
        keys: &[("clip_qkv", "attention.clamp_kqv")],
        metadata: |fields| {
            fields.set("attention.layer_norm_epsilon", Value::F32(1e-5));
            Ok(())
        },
        permuted: true,
        ..HuggingFace::new("OlmoForCausalLM")
    }],
};

fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = llama::config(h, loader)?;
    let eps = h.positive("attention.layer_norm_epsilon")?;
    config.set_norms(NormConfig::Plain { eps });
    Ok(config)
}
