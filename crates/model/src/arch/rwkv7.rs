//! RWKV 7, "Goose" (Peng et al. 2025, arXiv:2503.14456). Reference: `rwkv/model.py` of the package `rwkv`; folders are
//! those of flash-linear-attention's `modeling_rwkv7.py`.
//!
//! Differs from RWKV 6 so: what the state holds is replaced, values of the first layer count in all others, and the
//! channel mix has no gate.

use super::llama;
use super::mamba::endless;
use super::prelude::*;
use crate::config::Wkv7Config;
use crate::decoder::{WKV_NORM, wkv_heads};
use Role::*;

pub(super) const FAMILY: Family = Family {
    gguf_name: "rwkv7",
    models: "RWKV 7 (Goose)",
    config,
    hf: &[HuggingFace {
        names: &[
            (TokenEmbedding, "model.embeddings"),
            (EmbeddingNorm, "model.layers.{i}.pre_norm"),
            (MixerNorm, "model.layers.{i}.attn_norm"),
            (ParallelMixerNorm, "model.layers.{i}.ffn_norm"),
        ],
        spelled: &[
            ("_lora.lora.0.weight", "1.weight"),
            ("_lora.lora.2.weight", "2.weight"),
            ("_lora.lora.2.bias", "0.weight"),
        ],
        keys: &[
            ("head_dim", "wkv.head_size"),
            ("norm_eps", "attention.layer_norm_epsilon"),
            ("decay_low_rank_dim", "attention.decay_lora_rank"),
            ("a_low_rank_dim", "attention.iclr_lora_rank"),
            ("v_low_rank_dim", "attention.value_residual_mix_lora_rank"),
            ("gate_low_rank_dim", "attention.gate_lora_rank"),
        ],
        metadata,
        ..HuggingFace::new("RWKV7ForCausalLM")
    }],
};

fn metadata(fields: &mut Fields<'_>) -> Result<(), LoadError> {
    fields.only("norm_first", &["true"])?;
    fields.only("norm_bias", &["true"])?;
    // They follow from other keys.
    let _ = (fields.get("num_heads"), fields.get("value_dim"));
    let d = fields.size("hidden_size")?.unwrap_or(0) as f32;
    let usual = d * fields.float("hidden_ratio")?.unwrap_or(4.0);
    let usual = (usual as u32).next_multiple_of(32);
    let d_ff = fields.size("intermediate_size")?;
    let dim = fields.size("head_dim")?.unwrap_or(64) as f32;
    if let Some(eps) = fields.float("norm_eps")? {
        fields.set_own("inner_norm_eps", Value::F32(dim * eps));
    }
    endless(fields)?;
    fields.set("feed_forward_length", Value::U32(d_ff.unwrap_or(usual)));
    Ok(())
}

fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let norm = match h.own("inner_norm_eps")? {
        Some(eps) => NormConfig::Layer { eps },
        None => WKV_NORM,
    };
    let wkv = Wkv7Config {
        heads: wkv_heads(h)?,
        decay_rank: h.size("attention.decay_lora_rank")?,
        rate_rank: h.size("attention.iclr_lora_rank")?,
        value_rank: None,
        gate_rank: h.size("attention.gate_lora_rank")?,
        norm,
    };
    let value_rank = h.size("attention.value_residual_mix_lora_rank")?;
    let mut config = llama::hybrid(h, loader, |layer, _| {
        let value_rank = (layer > 0).then_some(value_rank);
        Ok(Some(Mixer::Wkv7(Wkv7Config { value_rank, ..wkv })))
    })?;
    config.embedding_norm = Some(config.output_norm);
    config.set_ffns(|d_ff| Ffn::ChannelMix { d_ff, gated: false });
    Ok(config)
}
