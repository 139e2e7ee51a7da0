//! Orion 14B (arXiv:2401.12246). Its layers are those of StableLM whose whole heads turn, so the golden is made by
//! transformers' `modeling_stablelm.py`.
//!
//! Differs from Llama so: LayerNorm, although its config says RMSNorm's epsilon; rotary positions turn `i` with
//! `i + dim / 2`.

use super::llama;
use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    gguf_name: "orion",
    models: "Orion 14B",
    config,
    hf: &[HuggingFace {
        keys: &[("rms_norm_eps", "attention.layer_norm_epsilon")],
        ..HuggingFace::new("OrionForCausalLM")
    }],
};

pub(super) fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = llama::config(h, loader)?;
    config.set_pairing(Pairing::HalfSplit);
    let eps = h.positive("attention.layer_norm_epsilon")?;
    config.set_norms(NormConfig::Layer { eps });
    Ok(config)
}
