//! What works on each token alone: one file for each kind.

mod channel_mix;
mod dense;
mod experts;
mod visits;

use kernels::{BatchView, StateLayer};

use crate::LoadError;
use crate::config::Ffn;
use crate::names::Role;
use crate::ops::Ops;
use crate::weights::{Linear, Loader};
use crate::workspace::Workspace;

use channel_mix::ChannelMixWeights;
use dense::{DenseWeights, roles, shared_roles};
use experts::ExpertsWeights;
pub(crate) use visits::Visits;

pub(crate) enum FfnWeights {
    None,
    Dense(Box<DenseWeights>),
    Experts(Box<ExpertsWeights>),
    ChannelMix(Box<ChannelMixWeights>),
}

impl FfnWeights {
    pub(crate) fn load(
        config: &Ffn,
        d_model: usize,
        layer: usize,
        loader: &Loader<'_>,
    ) -> Result<Self, LoadError> {
        Ok(match config {
            Ffn::None => Self::None,
            Ffn::Experts(config) => {
                let weights = ExpertsWeights::load(*config, d_model, layer, loader)?;
                Self::Experts(Box::new(weights))
            }
            Ffn::ChannelMix { d_ff, gated } => {
                let weights = ChannelMixWeights::load((*d_ff, *gated), d_model, layer, loader)?;
                Self::ChannelMix(Box::new(weights))
            }
            dense => {
                // Where there are no experts beside it, the network for every token is the only one.
                let alone = loader.has(Role::SharedDown, layer);
                let roles = if alone { shared_roles() } else { roles() };
                let weights = DenseWeights::load(dense, roles, d_model, layer, loader)?;
                Self::Dense(Box::new(weights))
            }
        })
    }

    /// Whether there is none.
    pub(crate) fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    pub(crate) fn linears(&self) -> Vec<&Linear> {
        match self {
            Self::None => Vec::new(),
            Self::Dense(weights) => weights.linears(),
            Self::Experts(weights) => weights.linears(),
            Self::ChannelMix(weights) => weights.linears(),
        }
    }

    pub(crate) fn linears_mut(&mut self) -> Vec<&mut Linear> {
        match self {
            Self::None => Vec::new(),
            Self::Dense(weights) => weights.linears_mut(),
            Self::Experts(weights) => weights.linears_mut(),
            Self::ChannelMix(weights) => weights.linears_mut(),
        }
    }

    /// Whether what it makes of a token depends on that token alone.
    pub(crate) fn is_of_tokens_alone(&self) -> bool {
        matches!(self, Self::Dense(_) | Self::Experts(_))
    }

    /// `delta = ffn(normed)`, of `m` rows: the batch's, or if it [looks at nothing else](Self::is_of_tokens_alone) any;
    /// nothing if there is none.
    pub(crate) fn forward(
        &self,
        ops: &Ops<'_>,
        m: usize,
        batch: BatchView<'_>,
        state: &mut StateLayer,
        w: &mut Workspace,
        tap: &mut impl FnMut(&'static str, &[f32]),
    ) {
        match self {
            Self::None => {}
            Self::ChannelMix(weights) => weights.forward(ops, batch, state, w),
            Self::Dense(weights) => weights.forward(ops, m, w),
            Self::Experts(weights) => weights.forward(ops, m, w, tap),
        }
    }
}
