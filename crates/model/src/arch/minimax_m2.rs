//! MiniMax M2 (MiniMax 2025). Reference: transformers `modeling_minimax_m2.py`.
//!
//! Differs from OLMoE so: part of a head turns; experts have a score each for itself and a bias for the choice, and
//! weights are divided by their sum.

use super::prelude::*;
use super::{llama, olmoe};

pub(super) const FAMILY: Family = Family {
    gguf_name: "minimax-m2",
    models: "MiniMax M2, M2.1",
    config,
    hf: &[HuggingFace {
        names: &[
            (Role::Router, "model.layers.{i}.block_sparse_moe.gate"),
            (
                Role::RouterBias,
                "model.layers.{i}.block_sparse_moe.e_score_correction_bias",
            ),
            llama::MIXTRAL_EXPERTS[1],
            llama::MIXTRAL_EXPERTS[2],
            llama::MIXTRAL_EXPERTS[3],
        ],
        keys: &[("rotary_dim", "rope.dimension_count")],
        metadata: |fields| {
            fields.only("use_routing_bias", &["true"])?;
            fields.only("scoring_func", &["sigmoid"])?;
            fields.only("qk_norm_type", &["per_layer"])?;
            fields.only("shared_intermediate_size", &["0"])
        },
        ..HuggingFace::new("MiniMaxM2ForCausalLM")
    }],
};

fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = olmoe::config(h, loader)?;
    for experts in config.experts_mut() {
        experts.gating = Gating::Sigmoid;
        experts.normalise = true;
    }
    Ok(config)
}
