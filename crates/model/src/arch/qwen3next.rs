//! Qwen3-Next (Qwen 2025). Reference: transformers `modeling_qwen3_next.py`.
//!
//! Differs from Qwen 2 MoE so: all but every fourth layer have linear attention with the gated delta rule; the others
//! have a gate for each head's output, norms of queries and keys, and turn a part of each head.

use super::llama;
use super::prelude::*;
use crate::decoder::delta_net;

pub(super) const FAMILY: Family = Family {
    gguf_name: "qwen3next",
    models: "Qwen3-Next 80B-A3B, Qwen3-Coder-Next",
    config: |h, loader| config(h, loader, true),
    hf: &[FORM],
};

pub(super) const FORM: HuggingFace = HuggingFace {
    names: &[
        (
            Role::AttentionQkv,
            "model.layers.{i}.linear_attn.in_proj_qkvz",
        ),
        (
            Role::AttentionQkv,
            "model.layers.{i}.linear_attn.in_proj_qkv",
        ),
        (Role::ScanConv, "model.layers.{i}.linear_attn.conv1d"),
        (Role::ScanStep, "model.layers.{i}.linear_attn.dt_bias"),
        (Role::ScanDecay, "model.layers.{i}.linear_attn.A_log"),
        (Role::ScanGroupNorm, "model.layers.{i}.linear_attn.norm"),
        (Role::ScanOut, "model.layers.{i}.linear_attn.out_proj"),
    ],
    keys: &[
        ("linear_conv_kernel_dim", "ssm.conv_kernel"),
        ("linear_key_head_dim", "ssm.state_size"),
        ("linear_num_key_heads", "ssm.group_count"),
        ("linear_num_value_heads", "ssm.time_step_rank"),
        ("full_attention_interval", "full_attention_interval"),
    ],
    metadata,
    gain_plus_one: |role| role.is_norm() && role != Role::ScanGroupNorm,
    rows: &[
        (Role::ScanDecay, Rows::NegatedExp),
        (Role::AttentionQkv, Rows::DeltaByHead),
    ],
    // What guesses further tokens.
    ignored: &["mtp."],
    ..HuggingFace::new("Qwen3NextForCausalLM")
};

fn metadata(fields: &mut Fields<'_>) -> Result<(), LoadError> {
    fields.only("attn_output_gate", &["true"])?;
    // States are kept in f32, and nothing is guessed by a model of its own.
    for key in "mamba_ssm_dtype mtp_num_hidden_layers mtp_use_dedicated_embeddings".split(' ') {
        fields.get(key);
    }
    let heads = fields.size("linear_num_value_heads")?.unwrap_or(0);
    let dim = fields.size("linear_value_head_dim")?.unwrap_or(0);
    fields.set("ssm.inner_size", Value::U32(heads.saturating_mul(dim)));
    fields.layers_of("linear_attention", "attention.recurrent_layers")
}

/// Heads of values that share a key head are neighbours if they are `grouped`.
pub(super) fn config(
    h: &Hparams<'_>,
    loader: &Loader<'_>,
    grouped: bool,
) -> Result<ModelConfig, LoadError> {
    let net = delta_net(h, grouped)?;
    let interval = h.size_or("full_attention_interval", 4)?;
    let recurrent = h.layers("attention.recurrent_layers", h.n_layers()?, interval)?;
    let mut config = llama::hybrid(h, loader, |layer, _| {
        Ok(recurrent[layer].then_some(Mixer::DeltaNet(net)))
    })?;
    config.set_pairing(Pairing::HalfSplit);
    config.set_qk_norm(QkNormOver::Head);
    for attention in config.attentions_mut() {
        attention.gated = true;
    }
    Ok(config)
}
