//! Seed-OSS (ByteDance 2025). Reference: transformers `modeling_seed_oss.py`.
//!
//! Differs from Qwen 2 in names only: its second norm is called by what it comes after.

use super::prelude::*;
use super::qwen2;

pub(super) const FAMILY: Family = Family {
    gguf_name: "seed_oss",
    models: "Seed-OSS 36B",
    config: qwen2::config,
    hf: &[HuggingFace::new("SeedOssForCausalLM")],
};
