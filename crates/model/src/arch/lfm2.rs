//! LFM2 (Liquid AI 2025, arXiv:2511.23404). Reference: transformers `modeling_lfm2.py`.
//!
//! Differs from Llama so: most layers have a short convolution between two gates instead of attention; queries and keys
//! are normed; rotary positions turn `i` with `i + dim / 2`. Layers without KV heads are the convolutions.

use super::llama;
use super::prelude::*;
use crate::config::ShortConvConfig;
use Role::*;

pub(super) const FAMILY: Family = Family {
    gguf_name: "lfm2",
    models: "LFM2, LFM2.5, LFM2-VL (text)",
    config,
    hf: &[FORM, FORM.within("Lfm2VlForConditionalGeneration")],
};

const FORM: HuggingFace = HuggingFace {
    names: NAMES,
    keys: KEYS,
    metadata,
    ..HuggingFace::new("Lfm2ForCausalLM")
};

pub(super) const NAMES: &[(Role, &str)] = &[
    (OutputNorm, "model.embedding_norm"),
    (MixerNorm, "model.layers.{i}.operator_norm"),
    (QueryNorm, "model.layers.{i}.self_attn.q_layernorm"),
    (KeyNorm, "model.layers.{i}.self_attn.k_layernorm"),
    (AttentionOutput, "model.layers.{i}.self_attn.out_proj"),
    (FfnNorm, "model.layers.{i}.ffn_norm"),
    (FfnGate, "model.layers.{i}.feed_forward.w1"),
    (FfnUp, "model.layers.{i}.feed_forward.w3"),
    (FfnDown, "model.layers.{i}.feed_forward.w2"),
    (Router, "model.layers.{i}.feed_forward.gate"),
    (RouterBias, "model.layers.{i}.feed_forward.expert_bias"),
    (ExpertGate, "model.layers.{i}.feed_forward.experts.{e}.w1"),
    (ExpertUp, "model.layers.{i}.feed_forward.experts.{e}.w3"),
    (ExpertDown, "model.layers.{i}.feed_forward.experts.{e}.w2"),
];

pub(super) const KEYS: &[(&str, &str)] = &[
    ("norm_eps", "attention.layer_norm_rms_epsilon"),
    ("conv_L_cache", "shortconv.l_cache"),
    ("block_ff_dim", "feed_forward_length"),
    ("num_dense_layers", "leading_dense_block_count"),
];

fn metadata(fields: &mut Fields<'_>) -> Result<(), LoadError> {
    let other = fields.size("intermediate_size")?;
    let d_ff = fields.size("block_ff_dim")?.or(other).unwrap_or(0);
    let factor = f64::from(fields.float("block_ffn_dim_multiplier")?.unwrap_or(1.0));
    let step = fields.size("block_multiple_of")?.unwrap_or(256).max(1);
    if fields.flag("block_auto_adjust_ff_dim")?.unwrap_or(true) {
        let d_ff = (factor * (2 * u64::from(d_ff) / 3) as f64) as u32;
        let d_ff = d_ff.div_ceil(step).saturating_mul(step);
        fields.set("feed_forward_length", Value::U32(d_ff));
    }
    layers(fields)
}

/// Layers that are no attention have no KV heads.
pub(super) fn layers(fields: &mut Fields<'_>) -> Result<(), LoadError> {
    let listed = fields.sizes("full_attn_idxs")?;
    if let (Some(list), None) = (listed, fields.get("layer_types")) {
        return fields.kv_heads_where(|layer| list.contains(&layer));
    }
    fields.kv_heads_of("full_attention")
}

pub(super) fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let channels = h.size("embedding_length")?;
    let width = h.conv_width("shortconv.l_cache")?;
    let conv = ShortConvConfig { channels, width };
    let mut config = llama::hybrid(h, loader, |_, n_kv_heads| {
        Ok((n_kv_heads == 0).then_some(Mixer::ShortConv(conv)))
    })?;
    config.set_pairing(Pairing::HalfSplit);
    config.set_qk_norm(QkNormOver::Head);
    Ok(config)
}
