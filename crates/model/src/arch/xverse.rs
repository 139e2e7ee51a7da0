//! XVERSE (2023). Its layers are Llama's, so the golden is made by transformers' `modeling_llama.py`.

use super::llama;
use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    gguf_name: "xverse",
    models: "XVERSE 7B, 13B, 65B",
    config: llama::config,
    hf: &[HuggingFace {
        permuted: true,
        ..HuggingFace::new("XverseForCausalLM")
    }],
};
