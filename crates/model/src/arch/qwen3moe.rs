//! Qwen 3 MoE (arXiv:2505.09388). Reference: transformers `modeling_qwen3_moe.py`.
//!
//! Qwen 3 with experts; nothing else differs.

use super::prelude::*;
use super::qwen3;

pub(super) const FAMILY: Family = Family {
    gguf_name: "qwen3moe",
    models: "Qwen 3 MoE (30B-A3B, 235B-A22B), Qwen 3 Coder",
    config: qwen3::config,
    hf: &[HuggingFace::new("Qwen3MoeForCausalLM")],
};
