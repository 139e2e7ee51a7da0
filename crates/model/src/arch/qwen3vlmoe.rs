//! Qwen 3 VL MoE, text (arXiv:2511.21631). Reference: transformers `modeling_qwen3_vl_moe.py`.
//!
//! Qwen 3 VL with experts, whose matrices folders have transposed.

use super::prelude::*;
use super::{qwen3, qwen3vl};

pub(super) const FAMILY: Family = Family {
    gguf_name: "qwen3vlmoe",
    models: "Qwen 3 VL 30B-A3B, 235B-A22B (text)",
    config: qwen3::config,
    hf: &[HuggingFace {
        architecture: "Qwen3VLMoeForConditionalGeneration",
        rows: &[
            (Role::ExpertGateUps, Rows::Transposed),
            (Role::ExpertDowns, Rows::Transposed),
        ],
        ..qwen3vl::FORM
    }],
};
