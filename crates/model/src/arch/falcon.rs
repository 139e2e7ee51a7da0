//! Falcon (arXiv:2311.16867). Reference: transformers `modeling_falcon.py`.
//!
//! Differs from Llama so: LayerNorm; attention and FFN stand side by side, behind one norm (7B) or each behind
//! its own (40B); rotary positions turn `i` with `i + dim / 2`; query, key and value are one matrix, in folders
//! group by group; the FFN has no gate and GELU.

use super::llama;
use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    gguf_name: "falcon",
    models: "Falcon 7B, 40B, 180B",
    config,
    hf: &[HuggingFace {
        names: &[
            (Role::TokenEmbedding, "transformer.word_embeddings"),
            (Role::OutputNorm, "transformer.ln_f"),
            (Role::MixerNorm, "transformer.h.{i}.input_layernorm"),
            (Role::ParallelMixerNorm, "transformer.h.{i}.ln_attn"),
            (Role::MixerNorm, "transformer.h.{i}.ln_mlp"),
            (
                Role::AttentionQkv,
                "transformer.h.{i}.self_attention.query_key_value",
            ),
            (
                Role::AttentionOutput,
                "transformer.h.{i}.self_attention.dense",
            ),
            (Role::FfnUp, "transformer.h.{i}.mlp.dense_h_to_4h"),
            (Role::FfnDown, "transformer.h.{i}.mlp.dense_4h_to_h"),
        ],
        metadata: |fields| {
            fields.activation(&["activation"])?;
            fields.only("alibi", &["false"])?;
            fields.only("parallel_attn", &["true"])?;
            let grouped = fields.flag("new_decoder_architecture")?.unwrap_or(false);
            let shared = fields.flag("multi_query")?.unwrap_or(true) && !grouped;
            let heads = fields
                .size("num_kv_heads")?
                .filter(|_| !shared)
                .unwrap_or(1);
            fields.set("attention.head_count_kv", Value::U32(heads));
            fields.set("context_length", Value::U32(2048));
            let d_ff = fields.size("ffn_hidden_size")?;
            let d_ff = d_ff.or(fields.size("hidden_size")?.map(|d| 4 * d));
            fields.set("feed_forward_length", Value::U32(d_ff.unwrap_or(0)));
            Ok(())
        },
        rows: &[(Role::AttentionQkv, Rows::ByHead)],
        ..HuggingFace::new("FalconForCausalLM")
    }],
};

fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = llama::config(h, loader)?;
    config.set_pairing(Pairing::HalfSplit);
    config.set_plain_ffn(Activation::Gelu);
    config.set_parallel(loader.has(Role::ParallelMixerNorm, 0));
    Ok(config)
}
