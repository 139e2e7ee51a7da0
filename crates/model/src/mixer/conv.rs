//! Weights of a short convolution over tokens, as recurrent mixers have it.

use kernels::ConvWeights;

use crate::LoadError;
use crate::names::Role;
use crate::weights::Loader;

pub(crate) struct Conv {
    channels: usize,
    width: usize,
    /// `[width, channels]`: files have them channel by channel.
    weights: Vec<f32>,
    /// Empty if there is none.
    bias: Vec<f32>,
}

impl Conv {
    pub(crate) fn load(
        role: Role,
        layer: usize,
        (channels, width): (usize, usize),
        loader: &Loader<'_>,
    ) -> Result<Self, LoadError> {
        let by_channel = loader.conv(role, layer, channels, width)?;
        let of_token = |j: usize| by_channel.iter().skip(j).step_by(width);
        Ok(Self {
            channels,
            width,
            weights: (0..width).flat_map(of_token).copied().collect(),
            bias: loader.bias(role, layer, channels)?.unwrap_or_default(),
        })
    }

    /// What kernels take.
    pub(crate) fn weights(&self) -> ConvWeights<'_> {
        ConvWeights {
            channels: self.channels,
            width: self.width,
            weights: &self.weights,
            bias: &self.bias,
        }
    }
}
