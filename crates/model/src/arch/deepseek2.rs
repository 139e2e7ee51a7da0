//! DeepSeek-V2, V3, R1 and Kimi K2 (arXiv:2405.04434, arXiv:2412.19437). Reference: transformers
//! `modeling_deepseek_v2.py`, `modeling_deepseek_v3.py`.
//!
//! Differs from Llama so: latent attention, whose scores grow with YaRN's factor; experts behind first layers
//! without, in groups of which the best count (by their best score in V2, by their two best in V3), and a network
//! for every token. Neighbours turn together, as they were trained.

use super::llama;
use super::prelude::*;
use crate::config::{LatentConfig, Mixer};

const KEYS: &[(&str, &str)] = &[
    ("q_lora_rank", "attention.q_lora_rank"),
    ("kv_lora_rank", "attention.kv_lora_rank"),
    ("v_head_dim", "attention.value_length_mla"),
    ("qk_rope_head_dim", "rope.dimension_count"),
];
const ROWS: &[(Role, Rows)] = &[(Role::LatentKB, Rows::LatentB)];

pub(super) const FAMILY: Family = Family {
    gguf_name: "deepseek2",
    models: "DeepSeek V2, V2 Lite, V3, R1, Kimi K2",
    config,
    hf: &[
        HuggingFace {
            names: SHARED_EXPERTS,
            keys: KEYS,
            metadata: |fields| metadata(fields, 1),
            rows: ROWS,
            ..HuggingFace::new("DeepseekV2ForCausalLM")
        },
        HuggingFace {
            names: SHARED_EXPERTS,
            keys: KEYS,
            metadata: |fields| metadata(fields, 2),
            rows: ROWS,
            ..HuggingFace::new("DeepseekV3ForCausalLM")
        },
    ],
};

/// Sizes of the one key head, and the router's kind as GGUF numbers it.
fn metadata(fields: &mut Fields<'_>, gating: u32) -> Result<(), LoadError> {
    let size = |key| fields.size(key).map(|size| size.unwrap_or(0));
    let (nope, rope) = (size("qk_nope_head_dim")?, size("qk_rope_head_dim")?);
    let rank = size("kv_lora_rank")?;
    let log = fields.float("rope_parameters.mscale_all_dim")?;
    let log = log.or(fields.float("rope_scaling.mscale_all_dim")?);
    if let Some(log) = log {
        fields.set("rope.scaling.yarn_log_multiplier", Value::F32(0.1 * log));
    }
    for (key, size) in [
        ("attention.head_count_kv", 1),
        ("attention.key_length", rank.saturating_add(rope)),
        ("attention.value_length", rank),
        ("attention.key_length_mla", nope.saturating_add(rope)),
        ("expert_gating_func", gating),
    ] {
        fields.set(key, Value::U32(size));
    }
    Ok(())
}

fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = llama::config(h, loader)?;
    let kv_rank = h.size("attention.kv_lora_rank")?;
    let q_rank = h
        .opt::<usize>("attention.q_lora_rank")?
        .filter(|&rank| rank > 0);
    let (head_dim, value_dim) = (
        h.size("attention.key_length_mla")?,
        h.size("attention.value_length_mla")?,
    );
    let log = h.opt::<f32>("rope.scaling.yarn_log_multiplier")?;
    let stretch = h.positive_or("rope.scaling.factor", 1.0)?;
    let growth = 1.0 + log.unwrap_or(0.0) * stretch.max(1.0).ln();
    let norm = config.output_norm;
    for layer in &mut config.layers {
        let Mixer::Attention(attention) = &mut layer.mixer else {
            continue;
        };
        let Some(mut rope) = attention.rope.take() else {
            continue;
        };
        if log.is_some() {
            rope.magnitude = 1.0;
        }
        let turned = rope.rope_dim();
        let expected = format!("more than {turned}, the elements that turn");
        h.check(
            "attention.key_length_mla",
            head_dim,
            &expected,
            head_dim > turned,
        )?;
        let expected = format!("{}, latent and turned elements", kv_rank + turned);
        let kept = attention.head_dim;
        h.check(
            "attention.key_length",
            kept,
            &expected,
            kept == kv_rank + turned,
        )?;
        layer.mixer = Mixer::Latent(LatentConfig {
            n_heads: attention.n_heads,
            q_rank,
            kv_rank,
            nope_dim: head_dim - turned,
            value_dim,
            scale: growth * growth / (head_dim as f32).sqrt(),
            rope,
            norm,
        });
    }
    for experts in config.experts_mut() {
        experts.normalise = h.opt("expert_weights_norm")?.unwrap_or(false);
        if let Some(groups) = &mut experts.groups
            && experts.gating == Gating::Softmax
        {
            groups.n_scores = 1;
        }
    }
    Ok(config)
}
