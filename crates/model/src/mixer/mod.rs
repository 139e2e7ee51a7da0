//! What mixes tokens: one file for each kind.

mod attention;
mod conv;
mod latent;
mod short_conv;

use kernels::BatchView;

use crate::LoadError;
use crate::cache::LayerCache;
use crate::config::{Mixer, ModelConfig};
use crate::ops::Ops;
use crate::weights::{Linear, Loader};
use crate::workspace::Workspace;

use attention::AttentionWeights;
use latent::LatentWeights;
use short_conv::ShortConvWeights;

pub(crate) enum MixerWeights {
    Attention(Box<AttentionWeights>),
    Latent(Box<LatentWeights>),
    ShortConv(Box<ShortConvWeights>),
}

impl MixerWeights {
    pub(crate) fn load(
        model: &ModelConfig,
        layer: usize,
        loader: &Loader<'_>,
    ) -> Result<Self, LoadError> {
        Ok(match &model.layers[layer].mixer {
            Mixer::Attention(config) => {
                let weights = AttentionWeights::load(config, model, layer, loader)?;
                Self::Attention(Box::new(weights))
            }
            Mixer::Latent(config) => {
                let weights = LatentWeights::load(config, model, layer, loader)?;
                Self::Latent(Box::new(weights))
            }
            Mixer::ShortConv(config) => {
                let weights = ShortConvWeights::load(*config, model.d_model, layer, loader)?;
                Self::ShortConv(Box::new(weights))
            }
        })
    }

    pub(crate) fn linears(&self) -> Vec<&Linear> {
        match self {
            Self::Attention(weights) => weights.linears().to_vec(),
            Self::Latent(weights) => weights.linears(),
            Self::ShortConv(weights) => weights.linears().to_vec(),
        }
    }

    pub(crate) fn linears_mut(&mut self) -> Vec<&mut Linear> {
        match self {
            Self::Attention(weights) => Vec::from(weights.linears_mut()),
            Self::Latent(weights) => weights.linears_mut(),
            Self::ShortConv(weights) => Vec::from(weights.linears_mut()),
        }
    }

    /// `delta = mixer(normed)`; keys, values and states go to `cache`.
    pub(crate) fn forward(
        &self,
        ops: &Ops<'_>,
        batch: BatchView<'_>,
        cache: &mut LayerCache,
        w: &mut Workspace,
        tap: &mut impl FnMut(&'static str, &[f32]),
    ) {
        match self {
            Self::Attention(weights) => weights.forward(ops, batch, cache.kv(), w, tap),
            Self::Latent(weights) => weights.forward(ops, batch, cache.kv(), w, tap),
            Self::ShortConv(weights) => weights.forward(ops, batch, cache.states(), w),
        }
    }
}
