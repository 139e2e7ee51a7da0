//! Falcon-H1 (TII 2025, arXiv:2507.22448). Reference: transformers `modeling_falcon_h1.py`.
//!
//! Differs from Llama so: a layer adds what attention and Mamba 2's state space model give; positions turn `i` with
//! `i + dim / 2`; about everything has a factor, in the weights of GGUF files and not in those of folders.

use super::prelude::*;
use super::{llama, mamba, mamba2};
use crate::decoder::head_scan;
use Role::*;

pub(super) const FAMILY: Family = Family {
    gguf_name: "falcon-h1",
    models: "Falcon-H1 0.5B to 34B",
    config,
    hf: &[HuggingFace {
        names: &[
            (OutputNorm, "model.final_layernorm"),
            (FfnNorm, "model.layers.{i}.pre_ff_layernorm"),
            (FfnGate, "model.layers.{i}.feed_forward.gate_proj"),
            (FfnUp, "model.layers.{i}.feed_forward.up_proj"),
            (FfnDown, "model.layers.{i}.feed_forward.down_proj"),
            (ScanIn, "model.layers.{i}.mamba.in_proj"),
            (ScanConv, "model.layers.{i}.mamba.conv1d"),
            (ScanStep, "model.layers.{i}.mamba.dt_bias"),
            (ScanDecay, "model.layers.{i}.mamba.A_log"),
            (ScanSkip, "model.layers.{i}.mamba.D"),
            (ScanGroupNorm, "model.layers.{i}.mamba.norm"),
            (ScanOut, "model.layers.{i}.mamba.out_proj"),
        ],
        keys: &[
            ("embedding_multiplier", "embedding_scale"),
            ("lm_head_multiplier", "logit_scale"),
            ("mamba_d_conv", "ssm.conv_kernel"),
            ("mamba_d_state", "ssm.state_size"),
            ("mamba_n_groups", "ssm.group_count"),
            ("mamba_n_heads", "ssm.time_step_rank"),
        ],
        metadata,
        rows: mamba2::ROWS,
        ..HuggingFace::new("FalconH1ForCausalLM")
    }],
};

fn metadata(fields: &mut Fields<'_>) -> Result<(), LoadError> {
    fields.only_from_zero_on("time_step_limit")?;
    fields.only("mamba_proj_bias", &["false"])?;
    fields.only("projectors_bias", &["false"])?;
    for key in "mamba_conv_bias mamba_chunk_size mamba_d_head".split(' ') {
        fields.get(key);
    }
    if fields.flag("mamba_rms_norm")? == Some(true) {
        fields.only("mamba_norm_before_gate", &["false"])?;
    }
    fields.get("mamba_norm_before_gate");
    mamba::inner_size(fields, "mamba_expand")?;
    fields.copy("mamba_d_ssm", "ssm.inner_size")?;
    let [gate, down] = fields.factors("mlp_multipliers")?;
    let scan = fields.factor("ssm_in_multiplier")?;
    let scan = fields.factors("ssm_multipliers")?.map(|part| part * scan);
    let enters = fields.factor("attention_in_multiplier")?;
    let leaves = fields.factor("attention_out_multiplier")?;
    // Factors on what a matrix takes come to the same.
    let roles = [
        (AttentionQ, vec![enters]),
        (AttentionK, vec![enters * fields.factor("key_multiplier")?]),
        (AttentionV, vec![enters]),
        (AttentionOutput, vec![leaves]),
        (ScanIn, fields.scan_factors(scan)?),
        (ScanOut, vec![fields.factor("ssm_out_multiplier")?]),
        (FfnGate, vec![gate]),
        (FfnDown, vec![down]),
    ];
    fields.scale_layers(&roles)
}

fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = llama::config(h, loader)?;
    config.set_pairing(Pairing::HalfSplit);
    let norm = loader.has(ScanGroupNorm, 0);
    let scan = head_scan(h, norm.then_some(config.output_norm))?;
    for layer in &mut config.layers {
        if let Mixer::Attention(attention) = &layer.mixer {
            layer.mixer = Mixer::Both(Box::new((attention.clone(), scan)));
        }
    }
    config.embedding_scale = h.opt("embedding_scale")?;
    config.logit_scale = h.opt("logit_scale")?;
    Ok(config)
}
