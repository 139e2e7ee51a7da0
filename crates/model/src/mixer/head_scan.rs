//! A state space model of heads: one step and decay for each (Mamba 2, Dao & Gu 2024, arXiv:2405.21060).
//!
//! ```text
//! z, xbc, dt'  = in(normed)               x, b, c = silu(conv(xbc))         dt = softplus(dt' + bias)
//! delta        = out(norm(scan(x, dt, b, c) * silu(z)))
//! ```
//!
//! The norm is over groups of heads, those that share `b` and `c`; some have none. Reference: transformers
//! `modeling_mamba2.py`.

use kernels::{Activation, BatchView, Columns, HeadScan, Heads, StateLayer};

use crate::LoadError;
use crate::config::HeadScanConfig;
use crate::mixer::conv::Conv;
use crate::names::Role;
use crate::norm::Norm;
use crate::ops::Ops;
use crate::weights::{Linear, Loader};
use crate::workspace::Workspace;

pub(crate) struct HeadScanWeights {
    config: HeadScanConfig,
    /// `z`, `xbc` and `dt'`.
    inputs: [Linear; 3],
    conv: Conv,
    dt_bias: Vec<f32>,
    a: Vec<f32>,
    d: Vec<f32>,
    /// With a gain for each group.
    norm: Option<Norm>,
    output: Linear,
}

impl HeadScanWeights {
    pub(crate) fn load(
        config: HeadScanConfig,
        d_model: usize,
        layer: usize,
        loader: &Loader<'_>,
    ) -> Result<Self, LoadError> {
        let (d_inner, d_conv) = (config.d_inner(), config.d_conv());
        let Heads { n_heads, .. } = config.heads;
        let ends = [0, d_inner, d_inner + d_conv, d_inner + d_conv + n_heads];
        let all = loader.linear(Role::ScanIn, layer, ends[3], d_model)?;
        let norm = match config.norm {
            Some(norm) => {
                let (groups, len) = (config.n_groups, d_inner / config.n_groups);
                let gain = loader.table(Role::ScanGroupNorm, layer, groups, len)?;
                let (config, bias) = (norm, Vec::new());
                Some(Norm { config, gain, bias })
            }
            None => None,
        };
        let width = (d_conv, config.conv_width);
        Ok(Self {
            inputs: [0, 1, 2].map(|i| all.rows(ends[i]..ends[i + 1])),
            conv: Conv::load(Role::ScanConv, layer, width, loader)?,
            dt_bias: loader.bias_only(Role::ScanStep, layer, n_heads)?,
            a: loader.bare(Role::ScanDecay, layer, &[n_heads])?,
            d: loader.bare(Role::ScanSkip, layer, &[n_heads])?,
            norm,
            output: loader.linear(Role::ScanOut, layer, d_model, d_inner)?,
            config,
        })
    }

    pub(crate) fn d_model(&self) -> usize {
        self.output.n
    }

    pub(crate) fn linears(&self) -> Vec<&Linear> {
        let mut linears = Vec::from_iter(&self.inputs);
        linears.push(&self.output);
        linears
    }

    pub(crate) fn linears_mut(&mut self) -> Vec<&mut Linear> {
        let mut linears = Vec::from_iter(&mut self.inputs);
        linears.push(&mut self.output);
        linears
    }

    /// `delta = out(norm(scan(…) * silu(z)))` of `normed`.
    pub(crate) fn forward(
        &self,
        ops: &Ops<'_>,
        batch: BatchView<'_>,
        [conv_state, state]: &mut [StateLayer; 2],
        w: &mut Workspace,
    ) {
        let (m, config) = (batch.positions.len(), &self.config);
        let (d_inner, d_conv) = (config.d_inner(), config.d_conv());
        let n_heads = config.heads.n_heads;
        let z = &mut w.q[..m * d_inner];
        let (raw, xbc) = (&mut w.k[..m * d_conv], &mut w.v[..m * d_conv]);
        let dt = &mut w.latents[..m * n_heads];
        let [to_z, to_xbc, to_dt] = &self.inputs;
        let normed = &w.normed[..m * to_z.k];
        let products = [(to_z, &mut *z), (to_xbc, &mut *raw), (to_dt, &mut *dt)];
        ops.linear(normed, &mut w.activations, products);
        ops.causal_conv(batch, self.conv.weights(), raw, conv_state, xbc);
        ops.activate(Activation::Silu, xbc);
        ops.add_row(dt, &self.dt_bias);
        ops.activate(Activation::Softplus, dt);

        let end_of_b = d_inner + config.n_groups * config.heads.key_dim;
        let scan = HeadScan {
            heads: config.heads,
            n_groups: config.n_groups,
            x: Columns::new(xbc, d_conv, 0..d_inner),
            dt,
            a: &self.a,
            b: Columns::new(xbc, d_conv, d_inner..end_of_b),
            c: Columns::new(xbc, d_conv, end_of_b..d_conv),
            d: &self.d,
        };
        let out = &mut w.attended[..m * d_inner];
        ops.head_scan(batch, scan, state, out);
        ops.gate(Activation::Silu, z, out);
        if let Some(norm) = &self.norm {
            ops.norm_each_head(norm, d_inner / config.n_groups, z, &mut w.room);
        }
        let delta = &mut w.delta[..m * self.output.n];
        ops.linear(z, &mut w.activations, [(&self.output, delta)]);
    }
}
