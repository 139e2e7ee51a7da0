//! Hunyuan dense and MoE (arXiv:2411.02265). Reference: transformers `modeling_hunyuan_v1_dense.py`.
//!
//! Differs from Llama so: heads of query and key are normed after they are turned; rotary positions turn `i` with
//! `i + dim / 2`, their base stretched by a factor `alpha` in folders.

use super::llama;
use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    gguf_name: "hunyuan-dense",
    models: "Hunyuan 0.5B to 7B",
    config,
    hf: &[HuggingFace {
        names: &[
            (
                Role::QueryNorm,
                "model.layers.{i}.self_attn.query_layernorm",
            ),
            (Role::KeyNorm, "model.layers.{i}.self_attn.key_layernorm"),
        ],
        metadata: |fields| fields.ntk_alpha(),
        ..HuggingFace::new("HunYuanDenseV1ForCausalLM")
    }],
};

pub(super) fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = llama::config(h, loader)?;
    config.set_pairing(Pairing::HalfSplit);
    config.set_qk_norm(QkNormOver::Head);
    for attention in config.attentions_mut() {
        if let Some(norm) = &mut attention.qk_norm {
            norm.after_rope = true;
        }
    }
    Ok(config)
}
