//! Qwen 2 and 2.5 (arXiv:2407.10671). Reference: transformers `modeling_qwen2.py`.
//!
//! Differs from Llama in two ways: rotary positions turn `i` with `i + dim / 2`, and query, key and value
//! have biases. The biases are tensors of the file, so they are found when the weights are loaded.

use kernels::Pairing;

use super::llama;
use crate::LoadError;
use crate::config::{Mixer, ModelConfig};
use crate::hparams::Hparams;
use crate::weights::Loader;

pub(super) fn config(h: &Hparams<'_>, loader: &Loader<'_>) -> Result<ModelConfig, LoadError> {
    let mut config = llama::config(h, loader)?;
    for layer in &mut config.layers {
        let Mixer::Attention(attention) = &mut layer.mixer;
        if let Some(rope) = &mut attention.rope {
            rope.pairing = Pairing::HalfSplit;
        }
    }
    Ok(config)
}
