//! Gemma 2 (arXiv:2408.00118). Reference: transformers `modeling_gemma2.py`.
//!
//! Differs from Llama so: rotary positions turn `i` with `i + dim / 2`; what attention and FFN give is
//! normed before it is added; scores and logits have soft caps; layers 0, 2, 4, … see a window of 4,096;
//! the gate is GELU's; rows of the embedding are multiplied with the root of the width (in f32, as llama.cpp
//! does; transformers rounds that root to the type of the weights). The gains of norms are stored with their
//! 1 added. The 27B model, known by its 46 layers, scales scores as if its heads were `d_model / n_heads` wide.

use kernels::Pairing;

use super::llama;
use crate::LoadError;
use crate::config::{Activation, Ffn, Mixer, ModelConfig};
use crate::hparams::Hparams;
use crate::weights::Loader;

const LAYERS_OF_27B: usize = 46;

pub(super) fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = llama::config(h, loader)?;
    let (d_model, n_layers) = (config.d_model, config.layers.len());
    config.embedding_scale = Some((d_model as f32).sqrt());
    config.logit_softcap = Some(h.positive_or("final_logit_softcapping", 30.0)?);
    let softcap = h.positive_or("attn_logit_softcapping", 50.0)?;
    let window = h.size_or("attention.sliding_window", 4096)?;
    for (i, layer) in config.layers.iter_mut().enumerate() {
        let Mixer::Attention(attention) = &mut layer.mixer;
        attention.softcap = Some(softcap);
        attention.window = i.is_multiple_of(2).then_some(window);
        if n_layers == LAYERS_OF_27B {
            attention.scale = 1.0 / (d_model as f32 / attention.n_heads as f32).sqrt();
        }
        if let Some(rope) = &mut attention.rope {
            rope.pairing = Pairing::HalfSplit;
        }
        layer.mixer_post_norm = Some(layer.mixer_norm);
        layer.ffn_post_norm = Some(layer.ffn_norm);
        let Ffn::Gated { activation, .. } = &mut layer.ffn;
        *activation = Activation::GeluTanh;
    }
    Ok(config)
}
