//! Phi 3.5 MoE (arXiv:2404.14219). Reference: transformers `modeling_phimoe.py`.
//!
//! Differs from Phi 3 so: LayerNorm, whose epsilon files call RMSNorm's; biases, of the output matrix too; experts,
//! weighed by SparseMixer: each among those nearly as good as it, of the ones not chosen before. llama.cpp weighs them
//! by a softmax over all instead.

use super::prelude::*;
use super::{llama, qwen2};

/// How far below the best a score may lie, by half of it; in folders `router_jitter_noise`.
const JITTER: f32 = 0.01;

pub(super) const FAMILY: Family = Family {
    gguf_name: "phimoe",
    models: "Phi 3.5 MoE",
    config,
    hf: &[HuggingFace {
        names: llama::MIXTRAL_EXPERTS,
        metadata: |fields| {
            let jitter = fields.float("router_jitter_noise")?.unwrap_or(JITTER);
            fields.set_own("router_jitter", Value::F32(jitter));
            fields.longrope_scale()
        },
        ..HuggingFace::new("PhiMoEForCausalLM")
    }],
};

fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = qwen2::config(h, loader)?;
    let eps = h.positive("attention.layer_norm_rms_epsilon")?;
    config.set_norms(NormConfig::Layer { eps });
    let jitter = h.own("router_jitter")?.unwrap_or(JITTER);
    for experts in config.experts_mut() {
        experts.gating = Gating::SparseMixer { jitter };
        experts.normalise = false;
    }
    Ok(config)
}
