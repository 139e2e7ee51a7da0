//! Nemotron 3 Nano (arXiv:2512.20848). Reference: transformers `modeling_nemotron_h.py`.
//!
//! Nemotron-H with experts; folders have one name for both.

use super::nemotron_h;
use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    gguf_name: "nemotron_h_moe",
    models: "Nemotron 3 Nano 30B-A3B",
    config: nemotron_h::config,
    hf: &[],
};
