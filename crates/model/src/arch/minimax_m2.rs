//! MiniMax M2 (MiniMax 2025). Reference: transformers `modeling_minimax_m2.py`.
//!
//! Differs from Llama so: part of a head turns, `i` with `i + dim / 2`; all heads of query and key together are normed;
//! experts, each with a score of its own and a bias for the choice.

use super::llama;
use super::prelude::*;

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
    let mut config = llama::config(h, loader)?;
    config.set_pairing(Pairing::HalfSplit);
    config.set_qk_norm(QkNormOver::All);
    for experts in config.experts_mut() {
        experts.gating = Gating::Sigmoid;
    }
    Ok(config)
}
