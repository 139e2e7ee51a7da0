//! A state space model of channels: each its own step and decays (Mamba, Gu & Dao 2023, arXiv:2312.00752).
//!
//! ```text
//! x, z        = in(normed)                x = silu(conv(x))
//! dt', b, c   = project(x)                dt = softplus(step(dt'))
//! delta       = out(scan(x, dt, b, c) * silu(z))
//! ```
//!
//! Some norm `dt'`, `b` and `c`. Reference: transformers `modeling_mamba.py`, `modeling_jamba.py`.

use kernels::{Activation, BatchView, ChannelScan, Columns, StateLayer};

use crate::LoadError;
use crate::config::{ChannelScanConfig, InnerNorms};
use crate::mixer::conv::Conv;
use crate::names::Role;
use crate::norm::Norm;
use crate::ops::Ops;
use crate::weights::{Linear, Loader};
use crate::workspace::Workspace;

pub(crate) struct ChannelScanWeights {
    config: ChannelScanConfig,
    /// `x` and `z`.
    inputs: [Linear; 2],
    conv: Conv,
    /// `dt'`, `b` and `c`.
    projections: [Linear; 3],
    /// Of the same.
    norms: Option<[Norm; 3]>,
    step: Linear,
    /// `[n_state, channels]`: files have them channel by channel.
    a: Vec<f32>,
    d: Vec<f32>,
    output: Linear,
}

impl ChannelScanWeights {
    pub(crate) fn load(
        config: ChannelScanConfig,
        d_model: usize,
        layer: usize,
        loader: &Loader<'_>,
    ) -> Result<Self, LoadError> {
        let ChannelScanConfig {
            channels,
            n_state,
            rank,
            ..
        } = config;
        let linear = |role, n, k| loader.linear(role, layer, n, k);
        let both = linear(Role::ScanIn, 2 * channels, d_model)?;
        let all = linear(Role::ScanProjection, rank + 2 * n_state, channels)?;
        let ends = [0, rank, rank + n_state, rank + 2 * n_state];
        let norm = |role, len| match config.norms {
            Some(InnerNorms { norm, gains: true }) => Norm::load(norm, role, layer, len, loader),
            Some(InnerNorms { norm, gains: false }) => Ok(Norm::unit(norm, len)),
            None => unreachable!("asked for only if there are norms"),
        };
        let norms = match config.norms {
            Some(_) => Some([
                norm(Role::ScanStepNorm, rank)?,
                norm(Role::ScanInNorm, n_state)?,
                norm(Role::ScanOutNorm, n_state)?,
            ]),
            None => None,
        };
        let by_channel = loader.bare(Role::ScanDecay, layer, &[channels, n_state])?;
        let of_state = |n: usize| by_channel.iter().skip(n).step_by(n_state);
        Ok(Self {
            inputs: [both.rows(0..channels), both.rows(channels..2 * channels)],
            conv: Conv::load(Role::ScanConv, layer, (channels, config.conv_width), loader)?,
            projections: [0, 1, 2].map(|i| all.rows(ends[i]..ends[i + 1])),
            norms,
            step: linear(Role::ScanStep, channels, rank)?,
            a: (0..n_state).flat_map(of_state).copied().collect(),
            d: loader.bare(Role::ScanSkip, layer, &[channels])?,
            output: linear(Role::ScanOut, d_model, channels)?,
            config,
        })
    }

    pub(crate) fn linears(&self) -> Vec<&Linear> {
        let mut linears = Vec::from_iter(&self.inputs);
        linears.extend(&self.projections);
        linears.extend([&self.step, &self.output]);
        linears
    }

    pub(crate) fn linears_mut(&mut self) -> Vec<&mut Linear> {
        let mut linears = Vec::from_iter(&mut self.inputs);
        linears.extend(&mut self.projections);
        linears.extend([&mut self.step, &mut self.output]);
        linears
    }

    /// `delta = out(scan(…) * silu(z))` of `normed`.
    pub(crate) fn forward(
        &self,
        ops: &Ops<'_>,
        batch: BatchView<'_>,
        [conv_state, state]: &mut [StateLayer; 2],
        w: &mut Workspace,
    ) {
        let (m, config) = (batch.positions.len(), &self.config);
        let (len, n_state) = (m * config.channels, config.n_state);
        let (inner, z, x) = (&mut w.q[..len], &mut w.k[..len], &mut w.v[..len]);
        let [to_x, to_z] = &self.inputs;
        let normed = &w.normed[..m * to_x.k];
        let products = [(to_x, &mut *inner), (to_z, &mut *z)];
        ops.linear(normed, &mut w.activations, products);
        ops.causal_conv(batch, self.conv.weights(), inner, conv_state, x);
        ops.activate(Activation::Silu, x);

        let short = &mut w.latents[..m * config.rank];
        let (b, c) = w.gathered[..2 * m * n_state].split_at_mut(m * n_state);
        let [to_short, to_b, to_c] = &self.projections;
        let products = [(to_short, &mut *short), (to_b, &mut *b), (to_c, &mut *c)];
        ops.linear(x, &mut w.activations, products);
        if let Some([of_step, of_b, of_c]) = &self.norms {
            for (norm, x) in [(of_step, &mut *short), (of_b, &mut *b), (of_c, &mut *c)] {
                norm.in_place(ops, x, &mut w.room);
            }
        }
        // What went into the convolution is done with.
        let dt = inner;
        ops.linear(short, &mut w.activations, [(&self.step, &mut *dt)]);
        ops.activate(Activation::Softplus, dt);

        let scan = ChannelScan {
            channels: config.channels,
            n_state,
            x,
            dt,
            a: &self.a,
            b: Columns::new(b, n_state, 0..n_state),
            c: Columns::new(c, n_state, 0..n_state),
            d: &self.d,
        };
        let out = &mut w.attended[..len];
        ops.channel_scan(batch, scan, state, out);
        ops.gate(Activation::Silu, z, out);
        let delta = &mut w.delta[..m * self.output.n];
        ops.linear(z, &mut w.activations, [(&self.output, delta)]);
    }
}
