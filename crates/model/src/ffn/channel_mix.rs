//! RWKV's channel mix: a feed-forward network of a token and the one before it (Peng et al. 2024, arXiv:2404.05892).
//!
//! ```text
//! k     = normed + (before - normed) * lerp_k            middle = max(key(k), 0)²
//! delta = value(middle)                                  RWKV 6: * sigmoid(receptance(r)), r mixed likewise
//! ```

use kernels::{Activation, BatchView, StateLayer};

use crate::LoadError;
use crate::mixer::TokenShift;
use crate::names::Role;
use crate::ops::Ops;
use crate::weights::{Linear, Loader};
use crate::workspace::Workspace;

pub(crate) struct ChannelMixWeights {
    shift: TokenShift,
    lerp: Vec<f32>,
    key: Linear,
    value: Linear,
    gate: Option<(Vec<f32>, Linear)>,
}

impl ChannelMixWeights {
    pub(super) fn load(
        (d_ff, gated): (usize, bool),
        d: usize,
        layer: usize,
        loader: &Loader<'_>,
    ) -> Result<Self, LoadError> {
        let gate = match gated {
            true => Some((
                loader.lerp(Role::ChannelLerpR, layer, d)?,
                loader.linear(Role::ChannelReceptance, layer, d, d)?,
            )),
            false => None,
        };
        Ok(Self {
            shift: TokenShift::new(d),
            lerp: loader.lerp(Role::ChannelLerpK, layer, d)?,
            key: loader.linear(Role::ChannelKey, layer, d_ff, d)?,
            value: loader.linear(Role::ChannelValue, layer, d, d_ff)?,
            gate,
        })
    }

    pub(super) fn linears(&self) -> Vec<&Linear> {
        let mut linears = vec![&self.key, &self.value];
        linears.extend(self.gate.iter().map(|(_, gate)| gate));
        linears
    }

    pub(super) fn linears_mut(&mut self) -> Vec<&mut Linear> {
        let mut linears = vec![&mut self.key, &mut self.value];
        linears.extend(self.gate.iter_mut().map(|(_, gate)| gate));
        linears
    }

    /// `delta = value(max(key(k), 0)²)` of `normed` and what came before it.
    pub(super) fn forward(
        &self,
        ops: &Ops<'_>,
        batch: BatchView<'_>,
        state: &mut StateLayer,
        w: &mut Workspace,
    ) {
        let (m, d) = (batch.positions.len(), self.value.n);
        let len = m * d;
        let (normed, before) = (&w.normed[..len], &mut w.attended[..len]);
        self.shift.forward(ops, batch, normed, state, before);
        let mixed = &mut w.mixed[..len];
        ops.lerp((normed, before), &self.lerp, mixed);
        let middle = &mut w.up[..m * self.key.n];
        ops.linear(mixed, &mut w.activations, [(&self.key, &mut *middle)]);
        ops.activate(Activation::ReluSquared, middle);
        let delta = &mut w.delta[..len];
        ops.linear(middle, &mut w.activations, [(&self.value, &mut *delta)]);
        if let Some((lerp, gate)) = &self.gate {
            let opened = &mut w.q[..len];
            ops.lerp((normed, before), lerp, mixed);
            ops.linear(mixed, &mut w.activations, [(gate, &mut *opened)]);
            ops.activate(Activation::Sigmoid, opened);
            ops.mul(delta, opened);
        }
    }
}
