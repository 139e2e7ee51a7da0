//! Mamba 2 (Dao & Gu 2024, arXiv:2405.21060). Reference: transformers `modeling_mamba2.py`.
//!
//! Differs from Llama so: a layer is a state space model of heads and nothing else, which norms what it gives.

use super::prelude::*;
use super::{llama, mamba};
use crate::decoder::head_scan;

pub(super) const FAMILY: Family = Family {
    gguf_name: "mamba2",
    models: "Mamba 2, Codestral Mamba",
    config,
    hf: &[HuggingFace {
        names: &[
            (Role::TokenEmbedding, "backbone.embeddings"),
            (Role::OutputNorm, "backbone.norm_f"),
            (Role::MixerNorm, "backbone.layers.{i}.norm"),
            (Role::ScanStep, "backbone.layers.{i}.mixer.dt_bias"),
        ],
        keys: KEYS,
        metadata: |fields| {
            mamba::inner_size(fields, "expand")?;
            // It follows from the others, or is of no use.
            fields.get("time_step_rank");
            fields.only_from_zero_on("time_step_limit")?;
            mamba::endless(fields)
        },
        rows: ROWS,
        ..HuggingFace::new("Mamba2ForCausalLM")
    }],
};

const KEYS: &[(&str, &str)] = &[
    ("conv_kernel", "ssm.conv_kernel"),
    ("state_size", "ssm.state_size"),
    ("num_heads", "ssm.time_step_rank"),
    ("n_groups", "ssm.group_count"),
    ("layer_norm_epsilon", "attention.layer_norm_rms_epsilon"),
];

pub(super) const ROWS: &[(Role, Rows)] = &[
    (Role::ScanDecay, Rows::NegatedExp),
    (Role::ScanGroupNorm, Rows::InRows("ssm.group_count")),
];

fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let eps = h.positive("attention.layer_norm_rms_epsilon")?;
    let scan = head_scan(h, Some(NormConfig::Rms { eps }))?;
    llama::hybrid(h, loader, |_, _| Ok(Some(Mixer::HeadScan(scan))))
}
