//! StarCoder 2 (arXiv:2402.19173). Reference: transformers `modeling_starcoder2.py`.
//!
//! Differs from Llama so: LayerNorm; rotary positions turn `i` with `i + dim / 2`; the FFN has no gate and GELU
//! in its tanh form; everything has biases.

use super::llama;
use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    gguf_name: "starcoder2",
    models: "StarCoder 2",
    config,
    hf: &[HuggingFace {
        names: &[
            (Role::FfnUp, "model.layers.{i}.mlp.c_fc"),
            (Role::FfnDown, "model.layers.{i}.mlp.c_proj"),
        ],
        ..HuggingFace::new("Starcoder2ForCausalLM")
    }],
};

fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = llama::config(h, loader)?;
    config.set_pairing(Pairing::HalfSplit);
    config.set_plain_ffn(Activation::GeluTanh);
    Ok(config)
}
