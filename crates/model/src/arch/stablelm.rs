//! StableLM 2 and 3B (arXiv:2402.17834). Reference: transformers `modeling_stablelm.py`.
//!
//! Differs from Llama so: LayerNorm; only part of a head turns, `i` with `i + dim / 2`. The 12B model has
//! attention and FFN side by side behind one norm, and a norm of its own for each head of query and key.

use super::llama;
use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    gguf_name: "stablelm",
    models: "StableLM 3B, StableLM 2",
    config,
    hf: &[HuggingFace {
        keys: &[("use_parallel_residual", "use_parallel_residual")],
        ..HuggingFace::new("StableLmForCausalLM")
    }],
};

fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = llama::config(h, loader)?;
    config.set_pairing(Pairing::HalfSplit);
    if loader.has(Role::QueryNorm, 0) {
        config.set_qk_norm(QkNormOver::EachHead);
    }
    if !loader.has(Role::FfnNorm, 0) {
        config.set_parallel(false);
    }
    Ok(config)
}
