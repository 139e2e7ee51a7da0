//! Qwen 3 (arXiv:2505.09388). Reference: transformers `modeling_qwen3.py`.
//!
//! Differs from Llama so: rotary positions turn `i` with `i + dim / 2`, and heads of query and key are normed
//! before.

use super::llama;
use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    gguf_name: "qwen3",
    models: "Qwen 3",
    config,
    hf: &[HuggingFace::new("Qwen3ForCausalLM")],
};

pub(super) fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = llama::config(h, loader)?;
    config.set_pairing(Pairing::HalfSplit);
    config.set_qk_norm(QkNormOver::Head);
    Ok(config)
}
