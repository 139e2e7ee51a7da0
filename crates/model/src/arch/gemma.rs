//! Gemma (arXiv:2403.08295). Reference: transformers `modeling_gemma.py`.
//!
//! Differs from Llama so: rotary positions turn `i` with `i + dim / 2`; the gate is GELU's; rows of the
//! embedding are multiplied with the root of the width (in f32, as llama.cpp does; transformers rounds that root
//! to the type of the weights). The gains of norms are stored with their 1 added in GGUF, without it elsewhere.

use super::llama;
use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    gguf_name: "gemma",
    models: "Gemma, CodeGemma",
    config,
    hf: &[HuggingFace {
        gain_plus_one: Role::is_norm,
        ..HuggingFace::new("GemmaForCausalLM")
    }],
};

pub(super) fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = llama::config(h, loader)?;
    config.set_pairing(Pairing::HalfSplit);
    config.embedding_scale = Some((config.d_model as f32).sqrt());
    config.set_ffns(|d_ff| Ffn::Gated {
        d_ff,
        activation: Activation::GeluTanh,
        sub_norm: None,
    });
    Ok(config)
}
