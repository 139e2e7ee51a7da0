//! Qwen 1 (arXiv:2309.16609). Its layers are those of Qwen 2, so the golden is made by transformers'
//! `modeling_qwen2.py`.
//!
//! Differs from Qwen 2 so: query, key and value are one matrix; what files call the width of the FFN is twice that.
//! Beyond `seq_length` the reference stretches positions and queries while it goes; here a context ends there.

use super::prelude::*;
use super::qwen2;

pub(super) const FAMILY: Family = Family {
    gguf_name: "qwen",
    models: "Qwen 1",
    config,
    hf: &[HuggingFace {
        names: &[
            (Role::TokenEmbedding, "transformer.wte"),
            (Role::OutputNorm, "transformer.ln_f"),
            (Role::MixerNorm, "transformer.h.{i}.ln_1"),
            (Role::AttentionQkv, "transformer.h.{i}.attn.c_attn"),
            (Role::AttentionOutput, "transformer.h.{i}.attn.c_proj"),
            (Role::FfnNorm, "transformer.h.{i}.ln_2"),
            (Role::FfnGate, "transformer.h.{i}.mlp.w2"),
            (Role::FfnUp, "transformer.h.{i}.mlp.w1"),
            (Role::FfnDown, "transformer.h.{i}.mlp.c_proj"),
        ],
        keys: &[("kv_channels", "attention.key_length")],
        metadata: |fields| {
            let logn = fields.flag("use_logn_attn")?.unwrap_or(false);
            if fields.flag("use_dynamic_ntk")?.unwrap_or(false) || logn {
                fields.copy("seq_length", "context_length")?;
            }
            Ok(())
        },
        ..HuggingFace::new("QWenLMHeadModel")
    }],
};

fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = qwen2::config(h, loader)?;
    set_rms_norms(&mut config, h)?;
    config.set_ffns(|d_ff| Ffn::Gated {
        d_ff: d_ff / 2,
        activation: Activation::Silu,
        sub_norm: None,
    });
    Ok(config)
}
