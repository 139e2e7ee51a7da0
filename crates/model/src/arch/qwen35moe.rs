//! Qwen3.5 with experts (Qwen 2026). Reference: transformers `modeling_qwen3_5_moe.py`.
//!
//! Differs from Qwen3.5 by experts, and a network that every token goes through, weighed by a gate.

use super::prelude::*;
use super::{qwen3next, qwen35};

pub(super) const FAMILY: Family = Family {
    gguf_name: "qwen35moe",
    models: "Qwen3.5 35B-A3B, 122B-A10B, 397B-A17B (text)",
    config: |h, loader| qwen3next::config(h, loader, false),
    hf: &[
        HuggingFace {
            architecture: "Qwen3_5MoeForCausalLM",
            ..qwen35::FORM
        },
        qwen35::FORM.within("Qwen3_5MoeForConditionalGeneration"),
    ],
};
