//! Qwen 2 and 2.5 (arXiv:2407.10671). Reference: transformers `modeling_qwen2.py`.
//!
//! Differs from Llama in two ways: rotary positions turn `i` with `i + dim / 2`, and query, key and value
//! have biases. The biases are tensors of the file, so they are found when the weights are loaded.

use super::llama;
use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    gguf_name: "qwen2",
    models: "Qwen 2, 2.5, 2.5 Coder",
    config,
    hf: &[HuggingFace::new("Qwen2ForCausalLM")],
};

pub(super) fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = llama::config(h, loader)?;
    config.set_pairing(Pairing::HalfSplit);
    Ok(config)
}
