//! InternLM 2 and 2.5 (arXiv:2403.17297). Its layers are Llama's, so the golden is made by transformers'
//! `modeling_llama.py`. Folders have query, key and value in one matrix, group by group.

use super::llama;
use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    gguf_name: "internlm2",
    models: "InternLM 2, 2.5",
    config: llama::config,
    hf: &[HuggingFace {
        names: &[
            (Role::TokenEmbedding, "model.tok_embeddings"),
            (Role::Output, "output"),
            (Role::MixerNorm, "model.layers.{i}.attention_norm"),
            (Role::AttentionQkv, "model.layers.{i}.attention.wqkv"),
            (Role::AttentionOutput, "model.layers.{i}.attention.wo"),
            (Role::FfnNorm, "model.layers.{i}.ffn_norm"),
            (Role::FfnGate, "model.layers.{i}.feed_forward.w1"),
            (Role::FfnUp, "model.layers.{i}.feed_forward.w3"),
            (Role::FfnDown, "model.layers.{i}.feed_forward.w2"),
        ],
        rows: &[(Role::AttentionQkv, Rows::ByHead)],
        permuted: true,
        ..HuggingFace::new("InternLM2ForCausalLM")
    }],
};
