//! Qwen 3 VL, text (arXiv:2511.21631). Reference: transformers `modeling_qwen3_vl.py`.
//!
//! Differs from Qwen 3 in what it sees: text turns heads as there.

use super::prelude::*;
use super::qwen3;

pub(super) const FAMILY: Family = Family {
    gguf_name: "qwen3vl",
    models: "Qwen 3 VL 2B to 32B (text)",
    config: qwen3::config,
    hf: &[FORM],
};

pub(super) const FORM: HuggingFace = HuggingFace {
    text_part: true,
    ..HuggingFace::new("Qwen3VLForConditionalGeneration")
};
