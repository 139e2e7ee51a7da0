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
        metadata: |fields| {
            // What the first files call `gelu` is its tanh form.
            if fields.text("hidden_act")? == Some("gelu") {
                fields.set_own("activation", Value::String("gelu_pytorch_tanh".into()));
            }
            Ok(())
        },
        gain_plus_one: Role::is_norm,
        ..HuggingFace::new("GemmaForCausalLM")
    }],
};

/// What scores are scaled by, as a width; GGUF has no key for it.
pub(super) fn query_width(fields: &mut Fields<'_>) -> Result<(), LoadError> {
    if let Some(width) = fields.float("query_pre_attn_scalar")? {
        fields.set_own("query_width", Value::F32(width));
    }
    Ok(())
}

/// Scales scores by that; in GGUF, models of so many layers as if heads were `d_model / n_heads` wide.
pub(super) fn set_query_width(
    config: &mut ModelConfig,
    h: &Hparams<'_>,
    n_layers: usize,
) -> Result<(), LoadError> {
    let (by_layers, d_model) = (config.layers.len() == n_layers, config.d_model as f32);
    let own = h.own::<f32>("query_width")?.filter(|&width| width > 0.0);
    for attention in config.attentions_mut() {
        let of_a_head = by_layers.then(|| d_model / attention.n_heads as f32);
        if let Some(width) = own.or(of_a_head) {
            attention.scale = 1.0 / width.sqrt();
        }
    }
    Ok(())
}

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
