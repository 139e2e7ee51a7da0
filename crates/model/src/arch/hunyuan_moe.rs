//! Hunyuan MoE (arXiv:2411.02265). Reference: transformers `modeling_hunyuan_v1_moe.py`.
//!
//! Hunyuan with experts, and a network for every token.

use super::hunyuan;
use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    gguf_name: "hunyuan-moe",
    models: "Hunyuan A13B",
    config: hunyuan::config,
    hf: &[HuggingFace {
        names: &[
            (
                Role::QueryNorm,
                "model.layers.{i}.self_attn.query_layernorm",
            ),
            (Role::KeyNorm, "model.layers.{i}.self_attn.key_layernorm"),
            (Role::Router, "model.layers.{i}.mlp.gate.wg"),
            (
                Role::SharedGate,
                "model.layers.{i}.mlp.shared_mlp.gate_proj",
            ),
            (Role::SharedUp, "model.layers.{i}.mlp.shared_mlp.up_proj"),
            (
                Role::SharedDown,
                "model.layers.{i}.mlp.shared_mlp.down_proj",
            ),
        ],
        keys: &[("attention_head_dim", "attention.key_length")],
        metadata: |fields| {
            if let Some(n_used) = fields.size("moe_topk")? {
                fields.set("expert_used_count", Value::U32(n_used));
            }
            if let Some(d_ff) = fields.size("intermediate_size")? {
                fields.set("expert_shared_feed_forward_length", Value::U32(d_ff));
            }
            if fields.size("num_shared_expert")?.is_some_and(|n| n != 1) {
                return Err(fields.wrong("num_shared_expert", "1"));
            }
            // Of what `use_cla` and `use_mla` switch on.
            for unused in [
                "cla_share_factor",
                "kv_lora_rank",
                "q_lora_rank",
                "qk_nope_head_dim",
                "qk_rope_head_dim",
                "v_head_dim",
                "xdrope_section",
            ] {
                fields.get(unused);
            }
            fields.ntk_alpha()
        },
        ..HuggingFace::new("HunYuanMoEV1ForCausalLM")
    }],
};
