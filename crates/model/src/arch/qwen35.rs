//! Qwen3.5 (Qwen 2026). Reference: transformers `modeling_qwen3_5.py`.
//!
//! Differs from Qwen3-Next so: no experts, and a matrix each for how much linear attention replaces and decays. GGUF has
//! heads of values that share a key head apart from each other; folders have them as neighbours.

use super::prelude::*;
use super::qwen3next;

pub(super) const FAMILY: Family = Family {
    gguf_name: "qwen35",
    models: "Qwen3.5 0.8B to 27B (text)",
    config: |h, loader| qwen3next::config(h, loader, false),
    hf: &[FORM, FORM.within("Qwen3_5ForConditionalGeneration")],
};

pub(super) const FORM: HuggingFace = HuggingFace {
    architecture: "Qwen3_5ForCausalLM",
    rows: ROWS,
    ..qwen3next::FORM
};

const ROWS: &[(Role, Rows)] = &[
    (Role::ScanDecay, Rows::DeltaApartDecay),
    (Role::AttentionQkv, Rows::DeltaApart),
    (Role::DeltaGate, Rows::DeltaApart),
    (Role::DeltaBeta, Rows::DeltaApart),
    (Role::DeltaAlpha, Rows::DeltaApart),
    (Role::ScanStep, Rows::DeltaApart),
    (Role::ScanConv, Rows::DeltaApart),
    (Role::ScanOut, Rows::DeltaApart),
];
