//! Llama 2 and 3 (arXiv:2307.09288, arXiv:2407.21783) and the many models with the same layers: Mistral,
//! Mixtral, Yi, SmolLM, TinyLlama. Reference: transformers `modeling_llama.py`, `modeling_mixtral.py`.
//!
//! This is the row that other families are told apart from, see [`crate::decoder`]: nothing differs. Llama 3.1
//! brings a tensor of frequency divisors, Mistral 7B v0.1 a sliding window, Mixtral experts, small models tie the
//! output. GGUF permutes rows of query and key, so that neighbours turn together.

use super::prelude::*;

/// What other families start from.
pub(super) use crate::decoder::{config, hybrid};

/// What Mixtral's folders call a router and its experts.
pub(super) const MIXTRAL_EXPERTS: &[(Role, &str)] = &[
    (Role::Router, "model.layers.{i}.block_sparse_moe.gate"),
    (
        Role::ExpertGate,
        "model.layers.{i}.block_sparse_moe.experts.{e}.w1",
    ),
    (
        Role::ExpertUp,
        "model.layers.{i}.block_sparse_moe.experts.{e}.w3",
    ),
    (
        Role::ExpertDown,
        "model.layers.{i}.block_sparse_moe.experts.{e}.w2",
    ),
];

pub(super) const FAMILY: Family = Family {
    gguf_name: "llama",
    models: "Llama 2, 3, 3.1, 3.2, 3.3, Mistral, Ministral 2410, Mixtral, Yi, SmolLM, SmolVLM (text), InternLM 3, TinyLlama",
    config,
    hf: &[
        HuggingFace {
            permuted: true,
            ..HuggingFace::new("LlamaForCausalLM")
        },
        HuggingFace {
            permuted: true,
            ..HuggingFace::new("MistralForCausalLM")
        },
        HuggingFace {
            permuted: true,
            ..HuggingFace::new("MinistralForCausalLM")
        },
        HuggingFace {
            permuted: true,
            ..HuggingFace::new("InternLM3ForCausalLM")
        },
        HuggingFace {
            permuted: true,
            text_part: true,
            spelled: &[("text_model.", "")],
            ..HuggingFace::new("SmolVLMForConditionalGeneration")
        },
        HuggingFace {
            names: MIXTRAL_EXPERTS,
            permuted: true,
            ..HuggingFace::new("MixtralForCausalLM")
        },
    ],
};
