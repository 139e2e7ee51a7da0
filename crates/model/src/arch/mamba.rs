//! Mamba (Gu & Dao 2023, arXiv:2312.00752) and Falcon Mamba. Reference: transformers `modeling_mamba.py`,
//! `modeling_falcon_mamba.py`.
//!
//! Differs from Llama so: a layer is a state space model of channels and nothing else. Falcon Mamba norms, without gains,
//! what makes the step, and what writes and reads the state.

use super::llama;
use super::prelude::*;
use crate::config::InnerNorms;
use crate::decoder::channel_scan;

pub(super) const FAMILY: Family = Family {
    gguf_name: "mamba",
    models: "Mamba, Falcon Mamba",
    config,
    hf: &[
        FORM,
        HuggingFace {
            architecture: "FalconMambaForCausalLM",
            metadata: |fields| {
                fields.set("ssm.dt_b_c_rms", Value::Bool(true));
                if let Some(eps) = fields.float("mixer_rms_eps")? {
                    fields.set_own("inner_norm_eps", Value::F32(eps));
                }
                metadata(fields)
            },
            ..FORM
        },
    ],
};

const FORM: HuggingFace = HuggingFace {
    names: &[
        (Role::TokenEmbedding, "backbone.embeddings"),
        (Role::OutputNorm, "backbone.norm_f"),
        (Role::MixerNorm, "backbone.layers.{i}.norm"),
    ],
    keys: &[
        ("conv_kernel", "ssm.conv_kernel"),
        ("state_size", "ssm.state_size"),
        ("time_step_rank", "ssm.time_step_rank"),
        ("layer_norm_epsilon", "attention.layer_norm_rms_epsilon"),
    ],
    metadata,
    rows: &[(Role::ScanDecay, Rows::NegatedExp)],
    ..HuggingFace::new("MambaForCausalLM")
};

fn metadata(fields: &mut Fields<'_>) -> Result<(), LoadError> {
    let d_model = fields.size("hidden_size")?.unwrap_or(0);
    inner_size(fields, "expand")?;
    fields.copy("intermediate_size", "ssm.inner_size")?;
    if fields
        .text("time_step_rank")
        .is_ok_and(|rank| rank.is_none_or(|rank| rank == "auto"))
    {
        fields.set("ssm.time_step_rank", Value::U32(d_model.div_ceil(16)));
    }
    endless(fields)
}

/// Channels, so many times the width.
pub(super) fn inner_size(fields: &mut Fields<'_>, key: &str) -> Result<(), LoadError> {
    fields.only("hidden_act", &["silu"])?;
    // Ways to compute the same.
    for key in ["use_mambapy", "use_associative_scan", "use_mamba_kernels"] {
        fields.get(key);
    }
    let factor = fields.size(key)?.unwrap_or(2);
    let d_inner = fields.size("hidden_size")?.unwrap_or(0);
    fields.set("ssm.inner_size", Value::U32(d_inner.saturating_mul(factor)));
    Ok(())
}

/// What models without attention say of it, and of a context that has no end.
pub(super) fn endless(fields: &mut Fields<'_>) -> Result<(), LoadError> {
    fields.set("context_length", Value::U32(1 << 20));
    fields.set("attention.head_count", Value::U32(0));
    fields.set("feed_forward_length", Value::U32(0));
    Ok(())
}

fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let eps = h.own("inner_norm_eps")?;
    let eps = eps.unwrap_or(h.positive("attention.layer_norm_rms_epsilon")?);
    let norm = NormConfig::Rms { eps };
    let norms = h.opt::<bool>("ssm.dt_b_c_rms")?.unwrap_or(false);
    let norms = norms.then_some(InnerNorms { norm, gains: false });
    llama::hybrid(h, loader, |_, _| channel_scan(h, norms).map(Some))
}
