//! Phi 3, 3.5, 4 and 4-mini (arXiv:2404.14219, arXiv:2412.08905). Reference: transformers `modeling_phi3.py`.
//!
//! Differs from Llama so: rotary positions turn `i` with `i + dim / 2` (of part of a head in 4-mini), stretched by
//! LongRoPE; query, key and value are one matrix, and gate and up another.

use super::prelude::*;
use super::qwen2;

pub(super) const FAMILY: Family = Family {
    gguf_name: "phi3",
    models: "Phi 3, 3.5, 4, 4-mini",
    config: qwen2::config,
    hf: &[HuggingFace {
        names: &[(Role::FfnUp, "model.layers.{i}.mlp.gate_up_proj")],
        ..HuggingFace::new("Phi3ForCausalLM")
    }],
};
