//! A feed-forward network that every token goes through, with or without a gate.

use kernels::Activation;

use crate::LoadError;
use crate::config::Ffn;
use crate::names::Role;
use crate::norm::Norm;
use crate::ops::Ops;
use crate::weights::{Linear, Loader};
use crate::workspace::Workspace;

pub(crate) struct DenseWeights {
    /// None if there is no gate.
    gate: Option<Linear>,
    up: Linear,
    down: Linear,
    activation: Activation,
    sub_norm: Option<Norm>,
}

/// Gate, up and down.
pub(super) struct Roles(pub(super) [Role; 3]);

/// Those of a network on its own.
pub(super) fn roles() -> Roles {
    Roles([Role::FfnGate, Role::FfnUp, Role::FfnDown])
}

/// Those of the network that every token goes through, beside experts or not.
pub(super) fn shared_roles() -> Roles {
    Roles([Role::SharedGate, Role::SharedUp, Role::SharedDown])
}

impl DenseWeights {
    /// # Panics
    /// If the config is for experts, or none.
    pub(super) fn load(
        config: &Ffn,
        Roles([gate, up, down]): Roles,
        d: usize,
        layer: usize,
        loader: &Loader<'_>,
    ) -> Result<Self, LoadError> {
        let linear = |role, n, k| loader.linear(role, layer, n, k);
        let (d_ff, activation, sub_norm) = match *config {
            Ffn::Gated {
                d_ff,
                activation,
                sub_norm,
            } => (d_ff, activation, sub_norm),
            Ffn::Plain { d_ff, activation } => (d_ff, activation, None),
            Ffn::Experts(_) | Ffn::ChannelMix { .. } | Ffn::None => {
                unreachable!("a dense one was asked for")
            }
        };
        let is_gated = matches!(config, Ffn::Gated { .. });
        let (gate, up) = if is_gated && !loader.has(gate, layer) {
            let both = linear(up, 2 * d_ff, d)?;
            (Some(both.rows(0..d_ff)), both.rows(d_ff..2 * d_ff))
        } else if is_gated {
            (Some(linear(gate, d_ff, d)?), linear(up, d_ff, d)?)
        } else {
            (None, linear(up, d_ff, d)?)
        };
        Ok(Self {
            gate,
            up,
            down: linear(down, d, d_ff)?,
            activation,
            sub_norm: Norm::opt(sub_norm, Role::FfnSubNorm, layer, d_ff, loader)?,
        })
    }

    pub(super) fn linears(&self) -> Vec<&Linear> {
        let mut linears = Vec::from_iter(&self.gate);
        linears.extend([&self.up, &self.down]);
        linears
    }

    pub(super) fn linears_mut(&mut self) -> Vec<&mut Linear> {
        let mut linears = Vec::from_iter(&mut self.gate);
        linears.extend([&mut self.up, &mut self.down]);
        linears
    }

    /// `delta = down(middle)` of `normed`, where `middle` is `activation(gate) * up` or `activation(up)`.
    pub(super) fn forward(&self, ops: &Ops<'_>, m: usize, w: &mut Workspace) {
        let Self { up, down, .. } = self;
        let u = &mut w.up[..m * up.n];
        let normed = &w.normed[..m * up.k];
        let middle = if let Some(gate) = &self.gate {
            let g = &mut w.gate[..m * gate.n];
            ops.linear(normed, &mut w.activations, [(gate, &mut *g), (up, &mut *u)]);
            ops.gate(self.activation, g, u);
            g
        } else {
            ops.linear(normed, &mut w.activations, [(up, &mut *u)]);
            ops.activate(self.activation, u);
            u
        };
        if let Some(norm) = &self.sub_norm {
            norm.in_place(ops, middle, &mut w.room);
        }
        let delta = &mut w.delta[..m * down.n];
        ops.linear(middle, &mut w.activations, [(down, delta)]);
    }
}
