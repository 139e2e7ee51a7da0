//! Ling, first generation (arXiv:2503.05139). Reference: layers of transformers' `modeling_llama.py` with the experts
//! of `modeling_deepseek_v2.py`.
//!
//! Differs from Llama so: experts and a network for every token; query, key and value are one matrix in folders.

use super::llama;
use super::prelude::*;

pub(super) const NAMES: &[(Role, &str)] = &[
    (Role::TokenEmbedding, "model.word_embeddings"),
    (
        Role::AttentionQkv,
        "model.layers.{i}.attention.query_key_value",
    ),
    (Role::AttentionOutput, "model.layers.{i}.attention.dense"),
];

pub(super) const FAMILY: Family = Family {
    gguf_name: "bailingmoe",
    models: "Ling lite, plus (1, 1.5)",
    config: llama::config,
    hf: &[HuggingFace {
        names: &[
            NAMES[0],
            NAMES[1],
            NAMES[2],
            SHARED_EXPERTS[0],
            SHARED_EXPERTS[1],
            SHARED_EXPERTS[2],
        ],
        keys: &[("num_shared_experts", "expert_shared_count")],
        metadata: |fields| {
            fields.only("norm_head", &["false"])?;
            fields.only("norm_softmax", &["false"])?;
            fields.only("multi_gate", &["false"])
        },
        permuted: true,
        ..HuggingFace::new("BailingMoeForCausalLM")
    }],
};
