//! RWKV 6, "Finch" (Peng et al. 2024, arXiv:2404.05892). Reference: `rwkv/model.py` of the package `rwkv`.
//!
//! Differs from Llama so: a time mix that recurs instead of attention, a channel mix as the feed-forward network,
//! LayerNorms, one of the embedding too. Files may have what is added to the stream halved every few layers, against
//! the range of f16: it is doubled again.

use super::llama;
use super::mamba::endless;
use super::prelude::*;
use crate::config::Wkv6Config;
use crate::decoder::{WKV_NORM, wkv_heads};
use Role::*;

pub(super) const FAMILY: Family = Family {
    gguf_name: "rwkv6",
    models: "RWKV 6 (Finch)",
    config,
    hf: &[HuggingFace {
        names: &[
            (TokenEmbedding, "model.embeddings"),
            (EmbeddingNorm, "model.layers.{i}.pre_ln"),
            (OutputNorm, "model.ln_out"),
            (Output, "head"),
            (MixerNorm, "model.layers.{i}.ln1"),
            (ParallelMixerNorm, "model.layers.{i}.ln2"),
        ],
        // Both generations have the same parts under other names.
        spelled: &[
            ("rwkv.", "model."),
            ("model.blocks.", "model.layers."),
            (".attention.", ".attn."),
            (".feed_forward.", ".ffn."),
            ("attn.key", "attn.k_proj"),
            ("attn.value", "attn.v_proj"),
            ("attn.receptance", "attn.r_proj"),
            ("attn.output", "attn.o_proj"),
            ("attn.ln_x", "attn.g_norm"),
            (".time_maa_w1", ".w1"),
            (".time_maa_w2", ".w2"),
            (".time_maa_w", ".x_w"),
            (".time_maa_k", ".x_k"),
            (".time_maa_v", ".x_v"),
            (".time_maa_r", ".x_r"),
            (".time_maa_g", ".x_g"),
        ],
        keys: &[("head_size", "wkv.head_size")],
        metadata,
        rows: &[
            (WkvW1, Rows::Transposed),
            (WkvW2, Rows::Transposed),
            (WkvDecayIn, Rows::Transposed),
            (WkvDecayOut, Rows::Transposed),
        ],
        ..HuggingFace::new("Rwkv6ForCausalLM")
    }],
};

fn metadata(fields: &mut Fields<'_>) -> Result<(), LoadError> {
    // Weights of folders are whole.
    fields.get("rescale_every");
    fields.only("head_size_divisor", &["8"])?;
    let d = fields.size("hidden_size")?.unwrap_or(0);
    fields.only("attention_hidden_size", &[&d.to_string()])?;
    let d_ff = fields.size("intermediate_size")?;
    endless(fields)?;
    let usual = (u64::from(d) * 7 / 2 / 32 * 32) as u32;
    fields.set("feed_forward_length", Value::U32(d_ff.unwrap_or(usual)));
    let doubled = if d == 4096 { 2 } else { 1 };
    fields.set("time_mix_extra_dim", Value::U32(32 * doubled));
    fields.set("time_decay_extra_dim", Value::U32(64 * doubled));
    Ok(())
}

fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let wkv = Wkv6Config {
        heads: wkv_heads(h)?,
        mix_rank: h.size("time_mix_extra_dim")?,
        decay_rank: h.size("time_decay_extra_dim")?,
        norm: WKV_NORM,
    };
    let mut config = llama::hybrid(h, loader, |_, _| Ok(Some(Mixer::Wkv6(wkv))))?;
    config.embedding_norm = Some(config.output_norm);
    config.set_ffns(|d_ff| Ffn::ChannelMix { d_ff, gated: true });
    let every = h.opt::<usize>("rescale_every_n_layers")?.unwrap_or(0);
    for (i, layer) in config.layers.iter_mut().enumerate() {
        let halved = i.checked_div(every).unwrap_or(0);
        layer.residual_scale = (halved > 0).then(|| (halved as f32).exp2());
    }
    Ok(config)
}
