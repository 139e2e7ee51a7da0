//! Llama 2 and 3 (arXiv:2307.09288, arXiv:2407.21783) and the many models with the same layers: Mistral,
//! Yi, SmolLM, TinyLlama. Reference: transformers `modeling_llama.py`.
//!
//! This is the row that other families are told apart from: RMSNorm before, grouped queries, rotary
//! positions in interleaved pairs (GGUF permutes the weights so), SwiGLU, no biases. Llama 3.1 brings a
//! tensor of frequency divisors, Mistral 7B v0.1 a sliding window, small models tie the output.

use kernels::Pairing;

use crate::LoadError;
use crate::config::{
    Activation, AttentionConfig, Ffn, LayerConfig, Mixer, ModelConfig, NormConfig,
};
use crate::hparams::Hparams;
use crate::rope::rope_config;
use crate::weights::Loader;

pub(super) fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    if h.opt::<u32>("expert_count")?.unwrap_or(0) > 0 {
        let what = format!("a mixture of experts (`{}`)", h.key("expert_count"));
        return Err(LoadError::Unsupported { what });
    }
    let n_layers = h.n_layers()?;
    let d_model = h.size("embedding_length")?;
    let norm = NormConfig::Rms {
        eps: h.positive("attention.layer_norm_rms_epsilon")?,
    };
    let n_heads = h.size_per_layer("attention.head_count", n_layers)?;
    let n_kv_heads = if h.has("attention.head_count_kv") {
        h.size_per_layer("attention.head_count_kv", n_layers)?
    } else {
        n_heads.clone()
    };
    let d_ff = h.size_per_layer("feed_forward_length", n_layers)?;
    let window = h
        .opt::<usize>("attention.sliding_window")?
        .filter(|&window| window > 0);
    let mut layers = Vec::with_capacity(n_layers);
    for layer in 0..n_layers {
        let head_dim = h.head_dim(d_model, n_heads[layer])?;
        h.check_heads(n_heads[layer], n_kv_heads[layer], head_dim)?;
        let rope = rope_config(h, loader, head_dim, Pairing::Interleaved)?;
        layers.push(LayerConfig {
            mixer_norm: norm,
            mixer: Mixer::Attention(AttentionConfig {
                n_heads: n_heads[layer],
                n_kv_heads: n_kv_heads[layer],
                head_dim,
                scale: 1.0 / (head_dim as f32).sqrt(),
                rope: Some(rope),
                window,
                softcap: None,
            }),
            mixer_post_norm: None,
            ffn_norm: norm,
            ffn: Ffn::Gated {
                d_ff: d_ff[layer],
                activation: Activation::Silu,
            },
            ffn_post_norm: None,
        });
    }
    let vocab_size = loader.vocab_size()?;
    let max_seq_len = h.size("context_length")?;
    Ok(ModelConfig {
        d_model,
        vocab_size,
        max_seq_len,
        embedding_scale: None,
        layers,
        output_norm: norm,
        logit_softcap: None,
    })
}
