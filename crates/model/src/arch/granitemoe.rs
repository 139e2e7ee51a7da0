//! Granite 3 MoE (IBM 2024). Reference: transformers `modeling_granitemoe.py`, `modeling_granitemoeshared.py`.
//!
//! Granite with experts: softmax over those chosen. Gate and up of an expert are one matrix in folders, and some
//! models have a network that every token goes through.

use super::granite;
use super::prelude::*;

const GATE_UP: &[Role] = &[Role::ExpertGates, Role::ExpertUps];

pub(super) const FAMILY: Family = Family {
    gguf_name: "granitemoe",
    models: "Granite 3 MoE",
    config,
    hf: &[
        FORM,
        HuggingFace {
            architecture: "GraniteMoeSharedForCausalLM",
            ..FORM
        },
    ],
};

const FORM: HuggingFace = HuggingFace {
    names: &[
        (
            Role::Router,
            "model.layers.{i}.block_sparse_moe.router.layer",
        ),
        (
            Role::ExpertGates,
            "model.layers.{i}.block_sparse_moe.input_linear",
        ),
        (
            Role::ExpertDowns,
            "model.layers.{i}.block_sparse_moe.output_linear",
        ),
        (Role::SharedUp, "model.layers.{i}.shared_mlp.input_linear"),
        (
            Role::SharedDown,
            "model.layers.{i}.shared_mlp.output_linear",
        ),
    ],
    keys: granite::KEYS,
    metadata: |fields| {
        fields.copy(
            "shared_intermediate_size",
            "expert_shared_feed_forward_length",
        )
    },
    rows: &[(Role::ExpertGates, Rows::ExpertsInOne(GATE_UP))],
    permuted: true,
    ..HuggingFace::new("GraniteMoeForCausalLM")
};

fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = granite::config(h, loader)?;
    for experts in config.experts_mut() {
        experts.gating = Gating::SoftmaxOfChosen;
        experts.normalise = false;
    }
    Ok(config)
}
