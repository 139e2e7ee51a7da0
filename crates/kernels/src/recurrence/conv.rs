//! A short causal convolution of each channel for itself, over the last few tokens.
//!
//! ```text
//! out[t][c] = bias[c] + Σ_j weight[j][c] * x[t - (width - 1) + j][c]        j = 0 .. width
//! ```
//!
//! Inputs before position 0 are zeros. The state is the last `width - 1` inputs, `[pieces][width - 1][channels of the
//! piece]`, oldest first. Such convolutions stand before state space models (Mamba, Gu & Dao 2023, arXiv:2312.00752)
//! or are the whole mixer (LFM2).

use super::{At, Recurrence, StateLayer, store_part, walk};
use crate::Context;
use crate::attention::BatchView;
use crate::isa::{Isa, LANES};
use crate::vector::padded;

/// Channels of a piece.
const PIECE: usize = 4 * LANES;

/// The weights of a convolution.
#[derive(Clone, Copy, Debug)]
pub struct ConvWeights<'a> {
    /// Channels.
    pub channels: usize,
    /// Tokens that count, the current one included.
    pub width: usize,
    /// `[width, channels]`: of the current token last.
    pub weights: &'a [f32],
    /// `[channels]`, or empty.
    pub bias: &'a [f32],
}

impl ConvWeights<'_> {
    /// Numbers of a sequence's state.
    pub fn state_len(&self) -> usize {
        (self.width - 1) * self.channels
    }
}

/// `out = conv(x)`, both `[n_tokens, channels]`; `state` goes from what came before the batch to what came with it.
///
/// # Panics
/// If a length is not what the weights' say, or `width` is below 2.
pub fn causal_conv(
    context: &Context,
    batch: BatchView<'_>,
    weights: ConvWeights<'_>,
    x: &[f32],
    state: &mut StateLayer,
    out: &mut [f32],
) {
    let len = batch.positions.len() * weights.channels;
    assert!(weights.width >= 2, "a convolution looks back");
    assert_eq!((x.len(), out.len()), (len, len), "a row for each token");
    let table = weights.width * weights.channels;
    assert_eq!(weights.weights.len(), table, "`width` weights a channel");
    assert!(
        [0, weights.channels].contains(&weights.bias.len()),
        "one bias a channel, or none"
    );
    assert_eq!(state.len, weights.state_len(), "a state of this shape");
    walk(context, batch, state, out, &Conv { weights, x });
}

struct Conv<'a> {
    weights: ConvWeights<'a>,
    x: &'a [f32],
}

impl Recurrence for Conv<'_> {
    fn state_piece(&self) -> usize {
        (self.weights.width - 1) * PIECE
    }

    fn out_piece(&self) -> usize {
        PIECE
    }

    #[inline(always)]
    fn step<I: Isa>(&self, isa: I, at: At, state: &mut [f32], out: &mut [f32]) {
        let ConvWeights {
            channels, width, ..
        } = self.weights;
        let (first, n) = (at.piece * PIECE, out.len());
        let x = &self.x[at.token * channels + first..][..n];
        let table = &self.weights.weights[first..];
        for start in (0..n).step_by(LANES) {
            let lanes = start..n.min(start + LANES);
            let mut sum = isa.splat(0.0);
            if !self.weights.bias.is_empty() {
                sum = isa.load(&padded(&self.weights.bias[first..][lanes.clone()]));
            }
            for j in 0..width - 1 {
                let weight = padded(&table[j * channels..][lanes.clone()]);
                let past = padded(&state[j * n..][lanes.clone()]);
                sum = isa.mul_add(isa.load(&weight), isa.load(&past), sum);
            }
            let weight = padded(&table[(width - 1) * channels..][lanes.clone()]);
            let now = padded(&x[lanes.clone()]);
            sum = isa.mul_add(isa.load(&weight), isa.load(&now), sum);
            store_part(isa, sum, &mut out[lanes]);
        }
        state.copy_within(n.., 0);
        state[(width - 2) * n..].copy_from_slice(x);
    }
}
