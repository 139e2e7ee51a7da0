//! Phi 1, 1.5 and 2 (arXiv:2309.05463). Reference: transformers `modeling_phi.py`.
//!
//! Differs from Llama so: LayerNorm; attention and FFN stand side by side behind one norm; only part of a
//! head turns, `i` with `i + dim / 2`; the FFN has no gate and GELU in its tanh form; everything has biases.

use super::llama;
use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    gguf_name: "phi2",
    models: "Phi 1, 1.5, 2",
    config,
    hf: &[HuggingFace {
        names: &[
            (Role::OutputNorm, "model.final_layernorm"),
            (Role::AttentionOutput, "model.layers.{i}.self_attn.dense"),
            (Role::FfnUp, "model.layers.{i}.mlp.fc1"),
            (Role::FfnDown, "model.layers.{i}.mlp.fc2"),
        ],
        ..HuggingFace::new("PhiForCausalLM")
    }],
};

pub(super) fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = llama::config(h, loader)?;
    config.set_pairing(Pairing::HalfSplit);
    config.set_parallel(false);
    config.set_plain_ffn(Activation::GeluTanh);
    Ok(config)
}
