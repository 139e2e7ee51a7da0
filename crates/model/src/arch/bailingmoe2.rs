//! Ling and Ring 2.0 (inclusionAI 2025). Its layers are GLM 4.5's, so the golden is made by transformers'
//! `modeling_glm4_moe.py`.
//!
//! Differs from Qwen 3 so: part of a head turns; experts as in DeepSeek-V3; query, key and value are one matrix.

use super::prelude::*;
use super::{bailingmoe, dots1};

pub(super) const FAMILY: Family = Family {
    gguf_name: "bailingmoe2",
    models: "Ling 2.0, Ring 2.0",
    config: dots1::config,
    hf: &[HuggingFace {
        names: &[
            bailingmoe::NAMES[0],
            bailingmoe::NAMES[1],
            bailingmoe::NAMES[2],
            (
                Role::QueryNorm,
                "model.layers.{i}.attention.query_layernorm",
            ),
            (Role::KeyNorm, "model.layers.{i}.attention.key_layernorm"),
            (Role::RouterBias, "model.layers.{i}.mlp.gate.expert_bias"),
            SHARED_EXPERTS[0],
            SHARED_EXPERTS[1],
            SHARED_EXPERTS[2],
        ],
        keys: &[("num_shared_experts", "expert_shared_count")],
        metadata: |fields| {
            fields.only("score_function", &["sigmoid"])?;
            fields.only("moe_router_enable_expert_bias", &["true"])?;
            fields.only("norm_softmax", &["false"])
        },
        ..HuggingFace::new("BailingMoeV2ForCausalLM")
    }],
};
