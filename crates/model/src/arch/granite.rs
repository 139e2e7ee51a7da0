//! Granite 3 (IBM 2024). Reference: transformers `modeling_granite.py`.
//!
//! Differs from Llama by four factors: on the embedding, on scores (instead of `1 / sqrt(head_dim)`), on what
//! attention and FFN give, and on logits (a divisor).

use super::llama;
use super::prelude::*;

pub(super) const KEYS: &[(&str, &str)] = &[
    ("attention_multiplier", "attention.scale"),
    ("embedding_multiplier", "embedding_scale"),
    ("residual_multiplier", "residual_scale"),
    ("logits_scaling", "logit_scale"),
];

pub(super) const FAMILY: Family = Family {
    gguf_name: "granite",
    models: "Granite 3, 3.1, 3.2, 3.3",
    config,
    hf: &[HuggingFace {
        keys: KEYS,
        permuted: true,
        ..HuggingFace::new("GraniteForCausalLM")
    }],
};

pub(super) fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = llama::config(h, loader)?;
    set_factors(&mut config, h)?;
    // How files say that there are no positions.
    if h.opt("rope.scaling.finetuned")? == Some(false) {
        config.set_unturned();
    }
    Ok(config)
}

/// The four factors.
pub(super) fn set_factors(config: &mut ModelConfig, h: &Hparams<'_>) -> Result<(), LoadError> {
    config.embedding_scale = h.opt("embedding_scale")?;
    config.logit_scale = Some(1.0 / h.positive_or("logit_scale", 1.0)?);
    let (scale, residual_scale) = (h.opt("attention.scale")?, h.opt("residual_scale")?);
    for attention in config.attentions_mut() {
        attention.scale = scale.unwrap_or(attention.scale);
    }
    for layer in &mut config.layers {
        layer.residual_scale = residual_scale;
    }
    Ok(())
}
