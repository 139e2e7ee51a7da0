//! Nemotron 4 and Minitron (arXiv:2402.16819, arXiv:2407.14679). Reference: transformers `modeling_nemotron.py`.
//!
//! Differs from Llama so: LayerNorm, whose gain is stored without its 1 in folders; only part of a head turns,
//! `i` with `i + dim / 2`; the FFN has no gate and a squared ReLU.

use super::llama;
use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    gguf_name: "nemotron",
    models: "Nemotron 4, Minitron",
    config,
    hf: &[HuggingFace {
        keys: &[("norm_eps", "attention.layer_norm_epsilon")],
        gain_plus_one: Role::is_norm,
        ..HuggingFace::new("NemotronForCausalLM")
    }],
};

fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = llama::config(h, loader)?;
    config.set_pairing(Pairing::HalfSplit);
    let eps = h.positive("attention.layer_norm_epsilon")?;
    config.set_norms(NormConfig::Layer { eps });
    config.set_plain_ffn(Activation::ReluSquared);
    Ok(config)
}
