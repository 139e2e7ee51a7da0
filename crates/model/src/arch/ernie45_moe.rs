//! ERNIE 4.5 MoE (Baidu 2025). Reference: transformers `modeling_ernie4_5_moe.py`.
//!
//! ERNIE 4.5 with experts: a bias for the choice, a network for every token, first layers without experts.

use super::llama;
use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    gguf_name: "ernie4_5-moe",
    models: "ERNIE 4.5 21B-A3B, 300B-A47B",
    config: llama::config,
    hf: &[HuggingFace {
        names: &[
            (
                Role::RouterBias,
                "model.layers.{i}.mlp.moe_statics.e_score_correction_bias",
            ),
            SHARED_EXPERTS[0],
            SHARED_EXPERTS[1],
            SHARED_EXPERTS[2],
        ],
        keys: &[
            ("moe_num_experts", "expert_count"),
            ("moe_k", "expert_used_count"),
            ("moe_layer_start_index", "leading_dense_block_count"),
            ("moe_layer_interval", "interleave_moe_layer_step"),
            ("moe_num_shared_experts", "expert_shared_count"),
        ],
        metadata: |fields| {
            fields.only("moe_norm_min", &["1e-12"])?;
            let last = fields
                .size("num_hidden_layers")?
                .unwrap_or(0)
                .wrapping_sub(1);
            fields.only("moe_layer_end_index", &["-1", &last.to_string()])?;
            fields.only("moe_use_aux_free", &["true"])?;
            fields.only("moe_gate_act", &["softmax"])
        },
        ..HuggingFace::new("Ernie4_5_MoeForCausalLM")
    }],
};
