//! MPT (MosaicML 2023). Reference: transformers `modeling_mpt.py`.
//!
//! Differs from Llama so: ALiBi instead of rotary positions; LayerNorm; query, key and value are one matrix and
//! may have a bound; the FFN has no gate and GELU.

use super::llama;
use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    gguf_name: "mpt",
    models: "MPT 7B, 30B",
    config,
    hf: &[HuggingFace {
        names: &[
            (Role::TokenEmbedding, "transformer.wte"),
            (Role::OutputNorm, "transformer.norm_f"),
            (Role::MixerNorm, "transformer.blocks.{i}.norm_1"),
            (Role::AttentionQkv, "transformer.blocks.{i}.attn.Wqkv"),
            (
                Role::AttentionOutput,
                "transformer.blocks.{i}.attn.out_proj",
            ),
            (Role::FfnNorm, "transformer.blocks.{i}.norm_2"),
            (Role::FfnUp, "transformer.blocks.{i}.ffn.up_proj"),
            (Role::FfnDown, "transformer.blocks.{i}.ffn.down_proj"),
        ],
        keys: &[
            ("d_model", "embedding_length"),
            ("n_layers", "block_count"),
            ("n_heads", "attention.head_count"),
            ("max_seq_len", "context_length"),
            ("attn_config.clip_qkv", "attention.clamp_kqv"),
            ("attn_config.alibi_bias_max", "attention.max_alibi_bias"),
        ],
        metadata: |fields| {
            fields.only("attn_config.alibi", &["true"])?;
            fields.only("attn_config.qk_ln", &["false"])?;
            let d = fields.size("d_model")?.unwrap_or(0);
            let ratio = fields.size("expansion_ratio")?.unwrap_or(4);
            fields.set("feed_forward_length", Value::U32(d.saturating_mul(ratio)));
            fields.set("attention.layer_norm_epsilon", Value::F32(1e-5));
            Ok(())
        },
        ..HuggingFace::new("MPTForCausalLM")
    }],
};

fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = llama::config(h, loader)?;
    config.set_plain_ffn(Activation::Gelu);
    config.set_alibi(h.positive_or("attention.max_alibi_bias", 8.0)?);
    Ok(config)
}
