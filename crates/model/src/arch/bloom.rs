//! BLOOM (arXiv:2211.05100). Reference: transformers `modeling_bloom.py`.
//!
//! Differs from Llama so: ALiBi instead of rotary positions; the embedding is normed; LayerNorm; query, key and
//! value are one matrix, in folders head by head; the FFN has no gate and GELU in its tanh form; everything
//! has biases.

use super::llama;
use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    gguf_name: "bloom",
    models: "BLOOM, BLOOMZ",
    config,
    hf: &[HuggingFace {
        names: &[
            (Role::TokenEmbedding, "transformer.word_embeddings"),
            (Role::EmbeddingNorm, "transformer.word_embeddings_layernorm"),
            (Role::OutputNorm, "transformer.ln_f"),
            (Role::MixerNorm, "transformer.h.{i}.input_layernorm"),
            (
                Role::AttentionQkv,
                "transformer.h.{i}.self_attention.query_key_value",
            ),
            (
                Role::AttentionOutput,
                "transformer.h.{i}.self_attention.dense",
            ),
            (Role::FfnNorm, "transformer.h.{i}.post_attention_layernorm"),
            (Role::FfnUp, "transformer.h.{i}.mlp.dense_h_to_4h"),
            (Role::FfnDown, "transformer.h.{i}.mlp.dense_4h_to_h"),
        ],
        keys: &[
            ("n_embed", "embedding_length"),
            ("n_layer", "block_count"),
            ("n_head", "attention.head_count"),
        ],
        metadata: |fields| {
            let d = fields.size("hidden_size")?.or(fields.size("n_embed")?);
            let d = d.unwrap_or(0);
            fields.set("feed_forward_length", Value::U32(4 * d));
            let len = fields.size("seq_length")?.unwrap_or(d);
            fields.set("context_length", Value::U32(len));
            Ok(())
        },
        rows: &[(Role::AttentionQkv, Rows::ByHead)],
        ..HuggingFace::new("BloomForCausalLM")
    }],
};

fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = llama::config(h, loader)?;
    config.embedding_norm = Some(config.output_norm);
    config.set_plain_ffn(Activation::GeluTanh);
    config.set_alibi(8.0);
    Ok(config)
}
