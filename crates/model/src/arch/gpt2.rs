//! GPT-2 (Radford et al. 2019). Reference: transformers `modeling_gpt2.py`.
//!
//! Differs from Llama so: positions are learned and added to the embedding; LayerNorm; query, key and value are
//! one matrix; the FFN has no gate and GELU in its tanh form; everything has biases. Folders have `[in, out]`.

use super::llama;
use super::prelude::*;

pub(super) const FORM: HuggingFace = HuggingFace {
    names: &[
        (Role::TokenEmbedding, "transformer.wte"),
        (Role::PositionEmbedding, "transformer.wpe"),
        (Role::OutputNorm, "transformer.ln_f"),
        (Role::MixerNorm, "transformer.h.{i}.ln_1"),
        (Role::AttentionQkv, "transformer.h.{i}.attn.c_attn"),
        (Role::AttentionOutput, "transformer.h.{i}.attn.c_proj"),
        (Role::FfnNorm, "transformer.h.{i}.ln_2"),
        (Role::FfnUp, "transformer.h.{i}.mlp.c_fc"),
        (Role::FfnDown, "transformer.h.{i}.mlp.c_proj"),
    ],
    keys: &[
        ("n_embd", "embedding_length"),
        ("n_layer", "block_count"),
        ("n_head", "attention.head_count"),
        ("n_positions", "context_length"),
    ],
    metadata: width_of_ffn,
    rows: &[
        (Role::AttentionQkv, Rows::Transposed),
        (Role::AttentionOutput, Rows::Transposed),
        (Role::FfnUp, Rows::Transposed),
        (Role::FfnDown, Rows::Transposed),
    ],
    ignored: &[".attn.bias", ".attn.masked_bias"],
    ..HuggingFace::new("GPT2LMHeadModel")
};

pub(super) const FAMILY: Family = Family {
    gguf_name: "gpt2",
    models: "GPT-2",
    config,
    hf: &[FORM],
};

/// Four times the model's, unless it is said.
pub(super) fn width_of_ffn(fields: &mut Fields<'_>) -> Result<(), LoadError> {
    let inner = fields.size("n_inner")?;
    let d_ff = inner.or(fields.size("n_embd")?.map(|d| d.saturating_mul(4)));
    fields.set("feed_forward_length", Value::U32(d_ff.unwrap_or(0)));
    Ok(())
}

pub(super) fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = llama::config(h, loader)?;
    config.learned_positions = Some(config.max_seq_len);
    config.set_plain_ffn(Activation::GeluTanh);
    for attention in config.attentions_mut() {
        attention.rope = None;
    }
    Ok(config)
}
