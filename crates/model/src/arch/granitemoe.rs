//! Granite 3 MoE (IBM 2024). Reference: transformers `modeling_granitemoe.py`, `modeling_granitemoeshared.py`.
//!
//! Granite with experts: softmax over those chosen. Gate and up of an expert are one matrix in folders, and some
//! models have a network that every token goes through.

use super::granite;
use super::prelude::*;

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

pub(super) const FORM: HuggingFace = HuggingFace {
    names: NAMES,
    keys: granite::KEYS,
    metadata: |fields| {
        fields.copy(
            "shared_intermediate_size",
            "expert_shared_feed_forward_length",
        )
    },
    permuted: true,
    ..HuggingFace::new("GraniteMoeForCausalLM")
};

const NAMES: &[(Role, &str)] = &[
    (
        Role::Router,
        "model.layers.{i}.block_sparse_moe.router.layer",
    ),
    (
        Role::ExpertGateUps,
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
    (Role::ScanIn, "model.layers.{i}.mamba.in_proj"),
    (Role::ScanConv, "model.layers.{i}.mamba.conv1d"),
    (Role::ScanStep, "model.layers.{i}.mamba.dt_bias"),
    (Role::ScanDecay, "model.layers.{i}.mamba.A_log"),
    (Role::ScanSkip, "model.layers.{i}.mamba.D"),
    (Role::ScanGroupNorm, "model.layers.{i}.mamba.norm"),
    (Role::ScanOut, "model.layers.{i}.mamba.out_proj"),
];

fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = granite::config(h, loader)?;
    set_gating(&mut config);
    Ok(config)
}

pub(super) fn set_gating(config: &mut ModelConfig) {
    for experts in config.experts_mut() {
        experts.gating = Gating::SoftmaxOfChosen;
        experts.normalise = false;
    }
}
