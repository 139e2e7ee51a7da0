//! LFM2 with experts (Liquid AI 2025, arXiv:2511.23404). Reference: transformers `modeling_lfm2_moe.py`.
//!
//! Differs from LFM2 so: behind the first layers there are experts, weighed by a sigmoid each, with a bias for the choice.

use super::lfm2;
use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    gguf_name: "lfm2moe",
    models: "LFM2 8B-A1B",
    config: lfm2::config,
    hf: &[HuggingFace {
        names: lfm2::NAMES,
        keys: lfm2::KEYS,
        metadata: |fields| {
            fields.only("use_expert_bias", &["true"])?;
            fields.only("block_auto_adjust_ff_dim", &["false"])?;
            fields.set("expert_gating_func", Value::U32(2));
            lfm2::layers(fields)
        },
        ..HuggingFace::new("Lfm2MoeForCausalLM")
    }],
};
