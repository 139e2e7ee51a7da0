//! GLM 4 9B (arXiv:2406.12793). Reference: transformers `modeling_glm.py`.
//!
//! Differs from GLM 4 0414 so: nothing is normed after attention and FFN.

use super::llama;
use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    gguf_name: "chatglm",
    models: "GLM 4 9B, ChatGLM 3 (GGUF)",
    config: llama::config,
    hf: &[HuggingFace {
        names: &[(Role::FfnUp, "model.layers.{i}.mlp.gate_up_proj")],
        ..HuggingFace::new("GlmForCausalLM")
    }],
};
