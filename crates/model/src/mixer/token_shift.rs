//! What a token has more or less than the one before it: RWKV mixes both into everything.

use kernels::{BatchView, ConvWeights, StateLayer};

use crate::ops::Ops;

/// `before - x` of each channel, as a convolution over two tokens; before the first one there are zeros.
pub(crate) struct TokenShift {
    channels: usize,
    /// 1 for the token before, -1 for the token itself.
    weights: Vec<f32>,
}

impl TokenShift {
    pub(crate) fn new(channels: usize) -> Self {
        let weights = [1.0, -1.0].map(|weight| vec![weight; channels]).concat();
        Self { channels, weights }
    }

    /// `out = before - x`, both `[n_tokens, channels]`.
    pub(crate) fn forward(
        &self,
        ops: &Ops<'_>,
        batch: BatchView<'_>,
        x: &[f32],
        state: &mut StateLayer,
        out: &mut [f32],
    ) {
        let weights = ConvWeights {
            channels: self.channels,
            width: 2,
            weights: &self.weights,
            bias: &[],
        };
        ops.causal_conv(batch, weights, x, state, out);
    }
}
