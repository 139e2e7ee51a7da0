//! The decoder that most metadata describes; a family file says what is different in its own.
//!
//! RMSNorm before attention and FFN (LayerNorm, if that is whose epsilon the file has), grouped queries, rotary
//! positions in interleaved pairs, SwiGLU, experts if there are any (Llama 2, arXiv:2307.09288). Biases and an output
//! matrix of its own are seen from tensors, when they are loaded.

mod latent;
mod recurrent;

pub(crate) use latent::set_latent;
pub(crate) use recurrent::{WKV_NORM, channel_scan, delta_net, head_scan, wkv_heads};

use kernels::Activation;

use crate::LoadError;
use crate::config::{AttentionConfig, Ffn, LayerConfig, Mixer, ModelConfig, NormConfig, Wiring};
use crate::hparams::Hparams;
use crate::rope::rope_config;
use crate::weights::Loader;

/// The config that the metadata describes if nothing is particular about its architecture.
///
/// # Errors
/// If a key is missing or makes no sense.
pub(crate) fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    hybrid(h, loader, |_, _| Ok(None))
}

/// The same, where `other` may say what stands in a layer instead of attention, [`Mixer::None`] too; it is given the
/// layer and its KV heads.
///
/// # Errors
/// As for [`config`], or `other`'s.
pub(crate) fn hybrid(
    h: &Hparams<'_>,
    loader: &Loader<'_>,
    other: impl Fn(usize, usize) -> Result<Option<Mixer>, LoadError>,
) -> Result<ModelConfig, LoadError> {
    let n_layers = h.n_layers()?;
    let d_model = h.size("embedding_length")?;
    let norm = norm(h)?;
    let n_heads = h.count_per_layer("attention.head_count", n_layers)?;
    let n_kv_heads = if h.has("attention.head_count_kv") {
        h.count_per_layer("attention.head_count_kv", n_layers)?
    } else {
        n_heads.clone()
    };
    let experts = h.experts()?;
    let d_ff = match experts {
        Some(_) if !h.has("feed_forward_length") => vec![0; n_layers],
        _ => h.count_per_layer("feed_forward_length", n_layers)?,
    };
    let first_experts = h.opt::<usize>("leading_dense_block_count")?.unwrap_or(0);
    let step = h.size_or("interleave_moe_layer_step", 1)?;
    if h.has("nextn_predict_layers") {
        loader.ignore_layers_from(n_layers);
    }
    let window = h
        .opt::<usize>("attention.sliding_window")?
        .filter(|&window| window > 0);
    let windowed = h.listed_windows(n_layers)?;
    let mixer = |layer: usize| -> Result<Mixer, LoadError> {
        if let Some(mixer) = other(layer, n_kv_heads[layer])? {
            return Ok(mixer);
        }
        let n_heads = h.of_layer("attention.head_count", &n_heads, layer)?;
        let n_kv_heads = h.of_layer("attention.head_count_kv", &n_kv_heads, layer)?;
        let attention = attention(h, loader, d_model, (n_heads, n_kv_heads))?;
        let window = window.filter(|_| windowed[layer]);
        Ok(Mixer::Attention(AttentionConfig {
            window,
            ..attention
        }))
    };
    let mixers = (0..n_layers).map(mixer).collect::<Result<Vec<_>, _>>()?;
    // Where networks have layers of their own, the others have none.
    let apart = mixers.contains(&Mixer::None);
    let mut layers = Vec::with_capacity(n_layers);
    for (layer, mixer) in mixers.into_iter().enumerate() {
        let ffn = match experts {
            _ if apart && mixer != Mixer::None => Ffn::None,
            Some(experts) if layer >= first_experts && (layer + 1).is_multiple_of(step) => {
                Ffn::Experts(experts)
            }
            // Recurrent layers may do without.
            _ if d_ff[layer] == 0 && mixer.has_state() => Ffn::None,
            _ => Ffn::Gated {
                d_ff: h.of_layer("feed_forward_length", &d_ff, layer)?,
                activation: Activation::Silu,
                sub_norm: None,
            },
        };
        layers.push(LayerConfig {
            wiring: Wiring::Sequential,
            mixer_norm: Some(norm).filter(|_| mixer != Mixer::None),
            mixer,
            mixer_post_norm: None,
            ffn_norm: Some(norm).filter(|_| ffn != Ffn::None),
            ffn,
            ffn_post_norm: None,
            residual_scale: None,
        });
    }
    Ok(ModelConfig {
        d_model,
        vocab_size: loader.vocab_size()?,
        max_seq_len: h.size("context_length")?,
        embedding_scale: None,
        learned_positions: None,
        embedding_norm: None,
        layers,
        output_norm: norm,
        logit_scale: None,
        logit_softcap: None,
    })
}

/// Has every norm be RMSNorm, under whichever name its epsilon stands: llama.cpp's converter names it as folders do, its
/// loader as it should be.
pub(crate) fn set_rms_norms(config: &mut ModelConfig, h: &Hparams<'_>) -> Result<(), LoadError> {
    if !h.has("attention.layer_norm_rms_epsilon") {
        let eps = h.positive("attention.layer_norm_epsilon")?;
        config.set_norms(NormConfig::Rms { eps });
    }
    Ok(())
}

/// A layer's attention, with `(n_heads, n_kv_heads)`.
pub(crate) fn attention(
    h: &Hparams<'_>,
    loader: &Loader<'_>,
    d_model: usize,
    (n_heads, n_kv_heads): (usize, usize),
) -> Result<AttentionConfig, LoadError> {
    let head_dim = h.head_dim(d_model, n_heads)?;
    h.check_heads(n_heads, n_kv_heads, head_dim)?;
    let clamp = h.opt("attention.clamp_kqv")?;
    Ok(AttentionConfig {
        n_heads,
        n_kv_heads,
        head_dim,
        scale: 1.0 / (head_dim as f32).sqrt(),
        rope: Some(rope_config(h, loader, head_dim, h.pairing()?)?),
        window: None,
        softcap: None,
        qk_norm: None,
        clamp: clamp.filter(|&bound: &f32| bound > 0.0),
        slopes: Vec::new(),
        temperature: None,
        sub_norm: None,
        gated: false,
    })
}

/// Which norm a file has is seen from the key of its epsilon.
fn norm(h: &Hparams<'_>) -> Result<NormConfig, LoadError> {
    if h.has("attention.layer_norm_epsilon") && !h.has("attention.layer_norm_rms_epsilon") {
        let eps = h.positive("attention.layer_norm_epsilon")?;
        return Ok(NormConfig::Layer { eps });
    }
    let eps = h.positive("attention.layer_norm_rms_epsilon")?;
    Ok(NormConfig::Rms { eps })
}
