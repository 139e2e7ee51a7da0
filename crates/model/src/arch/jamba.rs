//! Jamba (AI21 2024, arXiv:2403.19887). Reference: transformers `modeling_jamba.py`.
//!
//! Differs from Llama so: most layers have Mamba's state space model instead of attention, with norms of what makes its
//! step, and of what writes and reads its state; attention has no positions; some layers have experts, whose weights are
//! not normalised.

use super::prelude::*;
use super::{llama, mamba};
use crate::config::InnerNorms;
use crate::decoder::channel_scan;

pub(super) const FAMILY: Family = Family {
    gguf_name: "jamba",
    models: "Jamba, Jamba 1.5, 1.6, 1.7",
    config,
    hf: &[HuggingFace {
        names: &[
            (Role::OutputNorm, "model.final_layernorm"),
            (Role::FfnNorm, "model.layers.{i}.pre_ff_layernorm"),
            (Role::FfnGate, "model.layers.{i}.feed_forward.gate_proj"),
            (Role::FfnUp, "model.layers.{i}.feed_forward.up_proj"),
            (Role::FfnDown, "model.layers.{i}.feed_forward.down_proj"),
            (Role::Router, "model.layers.{i}.feed_forward.router"),
            (
                Role::ExpertGate,
                "model.layers.{i}.feed_forward.experts.{e}.gate_proj",
            ),
            (
                Role::ExpertUp,
                "model.layers.{i}.feed_forward.experts.{e}.up_proj",
            ),
            (
                Role::ExpertDown,
                "model.layers.{i}.feed_forward.experts.{e}.down_proj",
            ),
            (Role::ScanIn, "model.layers.{i}.mamba.in_proj"),
            (Role::ScanConv, "model.layers.{i}.mamba.conv1d"),
            (Role::ScanProjection, "model.layers.{i}.mamba.x_proj"),
            (Role::ScanStep, "model.layers.{i}.mamba.dt_proj"),
            (Role::ScanStepNorm, "model.layers.{i}.mamba.dt_layernorm"),
            (Role::ScanInNorm, "model.layers.{i}.mamba.b_layernorm"),
            (Role::ScanOutNorm, "model.layers.{i}.mamba.c_layernorm"),
            (Role::ScanDecay, "model.layers.{i}.mamba.A_log"),
            (Role::ScanSkip, "model.layers.{i}.mamba.D"),
            (Role::ScanOut, "model.layers.{i}.mamba.out_proj"),
        ],
        keys: &[
            ("mamba_d_conv", "ssm.conv_kernel"),
            ("mamba_d_state", "ssm.state_size"),
            ("mamba_dt_rank", "ssm.time_step_rank"),
        ],
        metadata,
        rows: &[(Role::ScanDecay, Rows::NegatedExp)],
        ..HuggingFace::new("JambaForCausalLM")
    }],
};

fn metadata(fields: &mut Fields<'_>) -> Result<(), LoadError> {
    // They follow from tensors, or are of no use.
    let keys = "mamba_conv_bias mamba_proj_bias expert_layer_period expert_layer_offset";
    keys.split(' ').for_each(|key| _ = fields.get(key));
    mamba::inner_size(fields, "mamba_expand")?;
    let period = fields.size("attn_layer_period")?.unwrap_or(8).max(1);
    let offset = fields.size("attn_layer_offset")?.unwrap_or(4);
    fields.kv_heads_where(|layer| layer % period == offset)
}

fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let eps = h.positive("attention.layer_norm_rms_epsilon")?;
    let norm = NormConfig::Rms { eps };
    let scan = channel_scan(h, Some(InnerNorms { norm, gains: true }))?;
    let mut config = llama::hybrid(h, loader, |_, n_kv_heads| {
        Ok((n_kv_heads == 0).then(|| scan.clone()))
    })?;
    config.set_unturned();
    for experts in config.experts_mut() {
        experts.normalise = false;
    }
    let d_ff = h.size("feed_forward_length")?;
    for (i, layer) in config.layers.iter_mut().enumerate() {
        if !loader.layer_has(Role::Router, i) {
            layer.ffn = Ffn::Gated {
                d_ff,
                activation: Activation::Silu,
                sub_norm: None,
            };
        }
    }
    Ok(config)
}
