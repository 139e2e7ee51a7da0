//! What mixes tokens: one file for each kind.

mod attention;
mod channel_scan;
mod conv;
mod delta_net;
mod head_scan;
mod latent;
mod short_conv;
mod token_shift;
mod wkv6;
mod wkv7;

use kernels::BatchView;

use crate::LoadError;
use crate::cache::LayerCache;
use crate::config::{Mixer, ModelConfig};
use crate::ops::Ops;
use crate::weights::{Linear, Loader};
use crate::workspace::Workspace;

use attention::AttentionWeights;
use channel_scan::ChannelScanWeights;
use delta_net::DeltaNetWeights;
use head_scan::HeadScanWeights;
use latent::LatentWeights;
use short_conv::ShortConvWeights;
pub(crate) use token_shift::TokenShift;
use wkv6::Wkv6Weights;
use wkv7::Wkv7Weights;

pub(crate) enum MixerWeights {
    Attention(Box<AttentionWeights>),
    Latent(Box<LatentWeights>),
    ShortConv(Box<ShortConvWeights>),
    ChannelScan(Box<ChannelScanWeights>),
    HeadScan(Box<HeadScanWeights>),
    DeltaNet(Box<DeltaNetWeights>),
    Wkv6(Box<Wkv6Weights>),
    Wkv7(Box<Wkv7Weights>),
    Both(Box<(AttentionWeights, HeadScanWeights)>),
    None,
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
            Mixer::ChannelScan(config) => {
                let weights = ChannelScanWeights::load(*config, model.d_model, layer, loader)?;
                Self::ChannelScan(Box::new(weights))
            }
            Mixer::HeadScan(config) => {
                let weights = HeadScanWeights::load(*config, model.d_model, layer, loader)?;
                Self::HeadScan(Box::new(weights))
            }
            Mixer::DeltaNet(config) => {
                let weights = DeltaNetWeights::load(*config, model.d_model, layer, loader)?;
                Self::DeltaNet(Box::new(weights))
            }
            Mixer::Wkv6(config) => Self::Wkv6(Box::new(Wkv6Weights::load(*config, layer, loader)?)),
            Mixer::Wkv7(config) => Self::Wkv7(Box::new(Wkv7Weights::load(*config, layer, loader)?)),
            Mixer::Both(both) => {
                let attention = AttentionWeights::load(&both.0, model, layer, loader)?;
                let scan = HeadScanWeights::load(both.1, model.d_model, layer, loader)?;
                Self::Both(Box::new((attention, scan)))
            }
            Mixer::None => Self::None,
        })
    }

    /// Whether there is none.
    pub(crate) fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    pub(crate) fn linears(&self) -> Vec<&Linear> {
        match self {
            Self::Attention(weights) => weights.linears().to_vec(),
            Self::Latent(weights) => weights.linears(),
            Self::ShortConv(weights) => weights.linears().to_vec(),
            Self::ChannelScan(weights) => weights.linears(),
            Self::HeadScan(weights) => weights.linears(),
            Self::DeltaNet(weights) => weights.linears(),
            Self::Wkv6(weights) => weights.linears(),
            Self::Wkv7(weights) => weights.linears(),
            Self::Both(both) => {
                let mut linears = both.0.linears().to_vec();
                linears.extend(both.1.linears());
                linears
            }
            Self::None => Vec::new(),
        }
    }

    pub(crate) fn linears_mut(&mut self) -> Vec<&mut Linear> {
        match self {
            Self::Attention(weights) => Vec::from(weights.linears_mut()),
            Self::Latent(weights) => weights.linears_mut(),
            Self::ShortConv(weights) => Vec::from(weights.linears_mut()),
            Self::ChannelScan(weights) => weights.linears_mut(),
            Self::HeadScan(weights) => weights.linears_mut(),
            Self::DeltaNet(weights) => weights.linears_mut(),
            Self::Wkv6(weights) => weights.linears_mut(),
            Self::Wkv7(weights) => weights.linears_mut(),
            Self::Both(both) => {
                let mut linears = Vec::from(both.0.linears_mut());
                linears.extend(both.1.linears_mut());
                linears
            }
            Self::None => Vec::new(),
        }
    }

    /// `delta = mixer(normed)`, nothing if there is none; keys, values and states go to `cache`.
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
            Self::ChannelScan(weights) => weights.forward(ops, batch, cache.states(), w),
            Self::HeadScan(weights) => weights.forward(ops, batch, cache.states(), w),
            Self::DeltaNet(weights) => weights.forward(ops, batch, cache.states(), w),
            Self::Wkv6(weights) => weights.forward(ops, batch, cache.states(), w),
            Self::Wkv7(weights) => weights.forward(ops, batch, cache.states(), w),
            Self::Both(both) => {
                both.0.forward(ops, batch, cache.kv(), w, tap);
                let width = batch.positions.len() * both.1.d_model();
                w.both[..width].copy_from_slice(&w.delta[..width]);
                both.1.forward(ops, batch, cache.states(), w);
                ops.add(&mut w.delta[..width], &w.both[..width]);
            }
            Self::None => {}
        }
    }
}
