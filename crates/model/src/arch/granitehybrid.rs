//! Granite 4 (IBM 2025). Reference: transformers `modeling_granitemoehybrid.py`.
//!
//! Differs from Granite 3 MoE so: most layers have Mamba 2's state space model instead of attention, which has no
//! positions; some models have no experts but the network that every token goes through. Folders of models without the state
//! space model have the same name: their attention has positions, and their GGUF files are Granite's.

use super::prelude::*;
use super::{granite, granitemoe, llama, mamba};
use crate::decoder::head_scan;

pub(super) const FAMILY: Family = Family {
    gguf_name: "granitehybrid",
    models: "Granite 4 H (Small, Tiny, Micro, 1B, 350M), folders of Granite 4 (Micro, 1B, 350M)",
    config,
    hf: &[HuggingFace {
        architecture: "GraniteMoeHybridForCausalLM",
        keys: &[
            ("attention_multiplier", "attention.scale"),
            ("embedding_multiplier", "embedding_scale"),
            ("residual_multiplier", "residual_scale"),
            ("logits_scaling", "logit_scale"),
            ("mamba_d_conv", "ssm.conv_kernel"),
            ("mamba_d_state", "ssm.state_size"),
            ("mamba_n_groups", "ssm.group_count"),
            ("mamba_n_heads", "ssm.time_step_rank"),
            (
                "shared_intermediate_size",
                "expert_shared_feed_forward_length",
            ),
        ],
        metadata,
        rows: &[
            (Role::ScanDecay, Rows::NegatedExp),
            (Role::ScanGroupNorm, Rows::InRows("ssm.group_count")),
        ],
        ..granitemoe::FORM
    }],
};

fn metadata(fields: &mut Fields<'_>) -> Result<(), LoadError> {
    fields.only_from_zero_on("time_step_limit")?;
    // They follow from others or from tensors, or are of no use.
    for key in [
        "mamba_d_head",
        "mamba_chunk_size",
        "mamba_conv_bias",
        "mamba_proj_bias",
        "normalization_function",
    ] {
        fields.get(key);
    }
    fields.only("position_embedding_type", &["nope", "rope"])?;
    let turns = fields.text("position_embedding_type")? == Some("rope");
    fields.set("rope.scaling.finetuned", Value::Bool(turns));
    mamba::inner_size(fields, "mamba_expand")?;
    if let (Some(0) | None, Some(d_ff)) = (
        fields.size("num_local_experts")?,
        fields.size("shared_intermediate_size")?,
    ) {
        fields.set("feed_forward_length", Value::U32(d_ff));
    }
    fields.kv_heads_of("attention")
}

fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let eps = h.positive("attention.layer_norm_rms_epsilon")?;
    let scan = head_scan(h, Some(NormConfig::Rms { eps }))?;
    let mut config = llama::hybrid(h, loader, |_, n_kv_heads| {
        Ok((n_kv_heads == 0).then_some(Mixer::HeadScan(scan)))
    })?;
    granite::set_factors(&mut config, h)?;
    granitemoe::set_gating(&mut config);
    // How files say whether there are positions.
    if !h.opt("rope.scaling.finetuned")?.unwrap_or(false) {
        config.set_unturned();
    }
    Ok(config)
}
