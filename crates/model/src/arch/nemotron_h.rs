//! Nemotron-H and Nemotron Nano 2 (arXiv:2504.03624, arXiv:2508.14444). Reference: transformers
//! `modeling_nemotron_h.py`.
//!
//! Differs from Llama so: a layer is Mamba 2's state space model, attention without positions, or a network without a
//! gate, and nothing else. Experts have no gate either, scores of their own, and a bias for the choice.

use super::prelude::*;
use super::{llama, mamba2};
use crate::decoder::head_scan;
use Role::*;

pub(super) const FAMILY: Family = Family {
    gguf_name: "nemotron_h",
    models: "Nemotron-H 4B to 56B, Nemotron Nano 2",
    config,
    hf: &[HuggingFace {
        names: NAMES,
        keys: &[
            ("conv_kernel", "ssm.conv_kernel"),
            ("ssm_state_size", "ssm.state_size"),
            ("mamba_num_heads", "ssm.time_step_rank"),
            ("n_groups", "ssm.group_count"),
            ("layer_norm_epsilon", "attention.layer_norm_rms_epsilon"),
            ("attention_head_dim", "attention.key_length"),
            ("attention_head_dim", "attention.value_length"),
        ],
        metadata,
        permuted: true,
        spelled: &[("backbone.layers", "model.layers"), ("mixer", "mlp")],
        rows: mamba2::ROWS,
        ignored: &["mtp."],
        ..HuggingFace::new("NemotronHForCausalLM")
    }],
};

const NAMES: &[(Role, &str)] = &[
    (TokenEmbedding, "backbone.embeddings"),
    (OutputNorm, "backbone.norm_f"),
    (MixerNorm, "model.layers.{i}.norm"),
    (AttentionQ, "model.layers.{i}.mlp.q_proj"),
    (AttentionK, "model.layers.{i}.mlp.k_proj"),
    (AttentionV, "model.layers.{i}.mlp.v_proj"),
    (AttentionOutput, "model.layers.{i}.mlp.o_proj"),
    (ScanIn, "model.layers.{i}.mlp.in_proj"),
    (ScanConv, "model.layers.{i}.mlp.conv1d"),
    (ScanStep, "model.layers.{i}.mlp.dt_bias"),
    (ScanDecay, "model.layers.{i}.mlp.A_log"),
    (ScanSkip, "model.layers.{i}.mlp.D"),
    (ScanGroupNorm, "model.layers.{i}.mlp.norm"),
    (ScanOut, "model.layers.{i}.mlp.out_proj"),
    SHARED_EXPERTS[1],
    SHARED_EXPERTS[2],
];

fn metadata(fields: &mut Fields<'_>) -> Result<(), LoadError> {
    fields.layers_apart()?;
    let heads = fields.size("mamba_num_heads")?.unwrap_or(0);
    let dim = fields.size("mamba_head_dim")?.unwrap_or(0);
    fields.set("ssm.inner_size", Value::U32(dim.saturating_mul(heads)));
    fields.activation(&["mlp_hidden_act"])?;
    fields.only("mamba_hidden_act", &["silu"])?;
    fields.only_from_zero_on("time_step_limit")?;
    fields.only("moe_latent_size", &[])?;
    // They follow from others or from tensors, say how others compute, or are about guesses.
    let keys = "expand time_step_rank norm_eps mamba_proj_bias mamba_ssm_cache_dtype use_mamba_kernels \
                moe_shared_expert_overlap mtp_layers_block_type mtp_hybrid_override_pattern";
    keys.split_whitespace().for_each(|key| _ = fields.get(key));
    Ok(())
}

pub(super) fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let eps = h.positive("attention.layer_norm_rms_epsilon")?;
    let scan = head_scan(h, Some(NormConfig::Rms { eps }))?;
    let d_ff = h.count_per_layer("feed_forward_length", h.n_layers()?)?;
    let mut config = llama::hybrid(h, loader, |layer, n_kv_heads| {
        Ok(match (d_ff[layer], n_kv_heads) {
            (0, 0) => Some(Mixer::HeadScan(scan)),
            (0, _) => None,
            _ => Some(Mixer::None),
        })
    })?;
    config.set_unturned();
    config.set_plain_ffn(Activation::ReluSquared);
    for experts in config.experts_mut() {
        experts.gating = Gating::Sigmoid;
        experts.activation = Activation::ReluSquared;
        experts.gated = false;
    }
    Ok(config)
}
