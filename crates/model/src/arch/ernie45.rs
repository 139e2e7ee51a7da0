//! ERNIE 4.5 (Baidu 2025). Reference: transformers `modeling_ernie4_5.py`.
//!
//! Differs from Llama in nothing but names: pairs are neighbours as they were trained.

use super::llama;
use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    gguf_name: "ernie4_5",
    models: "ERNIE 4.5 0.3B",
    config: llama::config,
    hf: &[HuggingFace::new("Ernie4_5ForCausalLM")],
};
