//! BitNet b1.58 (arXiv:2402.17764, arXiv:2504.12285). Reference: transformers `modeling_bitnet.py`.
//!
//! Differs from Llama so: what attention and gate give is normed before their last matrices; the gate is a
//! squared ReLU; rotary positions turn `i` with `i + dim / 2`. Weights are of any type here, the ternary ones as well.

use super::llama;
use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    gguf_name: "bitnet",
    models: "BitNet b1.58",
    config,
    hf: &[HuggingFace::new("BitNetForCausalLM")],
};

fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = llama::config(h, loader)?;
    let norm = config.output_norm;
    config.set_pairing(Pairing::HalfSplit);
    config.set_ffns(|d_ff| Ffn::Gated {
        d_ff,
        activation: Activation::ReluSquared,
        sub_norm: Some(norm),
    });
    for attention in config.attentions_mut() {
        attention.sub_norm = Some(norm);
    }
    Ok(config)
}
