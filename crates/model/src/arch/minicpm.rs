//! MiniCPM 1 and 2 (arXiv:2404.06395). Its layers are Granite's, so the golden is made by transformers'
//! `modeling_granite.py`.
//!
//! Differs from Granite in names, and in what files of its first days leave out: 12 for the embedding, 1.4 over the
//! root of the number of layers for what attention and FFN give, a 256th of the width as the logits' divisor.

use super::granite;
use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    gguf_name: "minicpm",
    models: "MiniCPM 1B, 2B",
    config,
    hf: &[HuggingFace {
        keys: granite::KEYS,
        metadata: |fields| {
            let number = |key| fields.float(key).map(|x| x.unwrap_or(1.0));
            let (embedding, depth) = (number("scale_emb")?, number("scale_depth")?);
            let (d, base) = (number("hidden_size")?, number("dim_model_base")?);
            let layers = number("num_hidden_layers")?;
            fields.set("embedding_scale", Value::F32(embedding));
            // In f64, as the converter computes it.
            let residual = f64::from(depth) / f64::from(layers).sqrt();
            fields.set("residual_scale", Value::F32(residual as f32));
            fields.set("logit_scale", Value::F32(d / base));
            Ok(())
        },
        permuted: true,
        ..HuggingFace::new("MiniCPMForCausalLM")
    }],
};

fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = granite::config(h, loader)?;
    if !h.has("logit_scale") {
        config.logit_scale = Some(256.0 / config.d_model as f32);
    }
    config.embedding_scale.get_or_insert(12.0);
    let residual = 1.4 / (config.layers.len() as f32).sqrt();
    for layer in &mut config.layers {
        layer.residual_scale.get_or_insert(residual);
    }
    Ok(config)
}
