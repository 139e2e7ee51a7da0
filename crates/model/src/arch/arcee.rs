//! Arcee AFM (2025). Reference: transformers `modeling_arcee.py`.
//!
//! Differs from Llama so: the FFN has no gate and a squared ReLU.

use super::llama;
use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    gguf_name: "arcee",
    models: "Arcee AFM 4.5B",
    config,
    hf: &[HuggingFace {
        permuted: true,
        ..HuggingFace::new("ArceeForCausalLM")
    }],
};

fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = llama::config(h, loader)?;
    config.set_plain_ffn(Activation::ReluSquared);
    Ok(config)
}
