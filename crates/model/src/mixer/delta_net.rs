//! Linear attention with the gated delta rule (Gated Delta Networks, Yang et al. 2024, arXiv:2412.06464).
//!
//! ```text
//! q, k, v = silu(conv(qkv(normed)))       q = unit(q) / sqrt(key_dim)       k = unit(k)
//! g       = a * softplus(alpha(normed) + bias)        beta = sigmoid(beta(normed))
//! delta   = out(norm(rule(q, k, v, g, beta)) * silu(gate(normed)))
//! ```
//!
//! The norm is over each head. Reference: transformers `modeling_qwen3_next.py`.

use kernels::{Activation, BatchView, Columns, GatedDelta, StateLayer};

use crate::LoadError;
use crate::config::{DeltaNetConfig, NormConfig};
use crate::mixer::conv::Conv;
use crate::names::Role;
use crate::norm::Norm;
use crate::ops::Ops;
use crate::weights::{Linear, Loader};
use crate::workspace::Workspace;

/// Added to the square of a query's or key's length.
const UNIT_EPS: f32 = 1e-6;

pub(crate) struct DeltaNetWeights {
    config: DeltaNetConfig,
    qkv: Linear,
    gate: Linear,
    conv: Conv,
    /// With a gain for each head: what makes units of queries and keys, and scales queries.
    units: Norm,
    /// How much is replaced and how much decays, by key head in one matrix or in two.
    rates: Rates,
    dt_bias: Vec<f32>,
    a: Vec<f32>,
    norm: Norm,
    output: Linear,
}

enum Rates {
    One([Linear; 1]),
    Two([Linear; 2]),
}

impl DeltaNetWeights {
    pub(crate) fn load(
        config: DeltaNetConfig,
        d_model: usize,
        layer: usize,
        loader: &Loader<'_>,
    ) -> Result<Self, LoadError> {
        let linear = |role, n, k| loader.linear(role, layer, n, k);
        let (n_heads, d_value) = (config.heads.n_heads, config.d_value());
        let rates = if loader.has(Role::DeltaBetaAlpha, layer) {
            Rates::One([linear(Role::DeltaBetaAlpha, 2 * n_heads, d_model)?])
        } else {
            let beta = linear(Role::DeltaBeta, n_heads, d_model)?;
            Rates::Two([beta, linear(Role::DeltaAlpha, n_heads, d_model)?])
        };
        // Older files have all in one, by key head.
        let in_one = loader.has(Role::ScanIn, layer) && !loader.has(Role::AttentionQkv, layer);
        let [qkv, gate] = if in_one {
            let all = linear(Role::ScanIn, config.d_conv() + d_value, d_model)?;
            config.by_key_head().map(|rows| all.picked(&rows))
        } else {
            let gate = linear(Role::DeltaGate, d_value, d_model)?;
            [linear(Role::AttentionQkv, config.d_conv(), d_model)?, gate]
        };
        let (dim, norm) = (config.heads.value_dim, config.norm);
        Ok(Self {
            qkv,
            gate,
            conv: Conv::load(
                Role::ScanConv,
                layer,
                (config.d_conv(), config.conv_width),
                loader,
            )?,
            units: units(&config),
            rates,
            dt_bias: loader.bias_only(Role::ScanStep, layer, n_heads)?,
            a: loader.bare(Role::ScanDecay, layer, &[n_heads])?,
            norm: Norm::load(norm, Role::ScanGroupNorm, layer, dim, loader)?,
            output: linear(Role::ScanOut, d_model, d_value)?,
            config,
        })
    }

    pub(crate) fn linears(&self) -> Vec<&Linear> {
        let mut linears = vec![&self.qkv, &self.gate];
        match &self.rates {
            Rates::One(rates) => linears.extend(rates),
            Rates::Two(rates) => linears.extend(rates),
        }
        linears.push(&self.output);
        linears
    }

    pub(crate) fn linears_mut(&mut self) -> Vec<&mut Linear> {
        let mut linears = vec![&mut self.qkv, &mut self.gate];
        match &mut self.rates {
            Rates::One(rates) => linears.extend(rates),
            Rates::Two(rates) => linears.extend(rates),
        }
        linears.push(&mut self.output);
        linears
    }

    /// `delta = out(norm(rule(…)) * silu(gate))` of `normed`.
    pub(crate) fn forward(
        &self,
        ops: &Ops<'_>,
        batch: BatchView<'_>,
        [conv_state, state]: &mut [StateLayer; 2],
        w: &mut Workspace,
    ) {
        let (m, config) = (batch.positions.len(), &self.config);
        let (d_key, d_value, d_conv) = (config.d_key(), config.d_value(), config.d_conv());
        self.rates(ops, m, w);
        let gate = &mut w.q[..m * d_value];
        let (raw, qkv) = (&mut w.k[..m * d_conv], &mut w.v[..m * d_conv]);
        let normed = &w.normed[..m * self.qkv.k];
        let products = [(&self.qkv, &mut *raw), (&self.gate, &mut *gate)];
        ops.linear(normed, &mut w.activations, products);
        ops.causal_conv(batch, self.conv.weights(), raw, conv_state, qkv);
        ops.activate(Activation::Silu, qkv);
        // Queries and keys, without values between them.
        let qk = &mut raw[..m * 2 * d_key];
        let rows = qk.chunks_exact_mut(2 * d_key);
        for (row, qkv) in rows.zip(qkv.chunks_exact(d_conv)) {
            row.copy_from_slice(&qkv[..2 * d_key]);
        }
        ops.norm_each_head(&self.units, config.heads.key_dim, qk, &mut w.room);

        let (beta, g) =
            w.gathered[..2 * m * config.heads.n_heads].split_at(m * config.heads.n_heads);
        let rule = GatedDelta {
            heads: config.heads,
            n_key_heads: config.n_key_heads,
            grouped: config.grouped,
            q: Columns::new(qk, 2 * d_key, 0..d_key),
            k: Columns::new(qk, 2 * d_key, d_key..2 * d_key),
            v: Columns::new(qkv, d_conv, 2 * d_key..d_conv),
            g,
            beta,
        };
        let out = &mut w.attended[..m * d_value];
        ops.gated_delta(batch, rule, state, out);
        self.norm.in_place(ops, out, &mut w.room);
        ops.gate(Activation::Silu, gate, out);
        let delta = &mut w.delta[..m * self.output.n];
        ops.linear(gate, &mut w.activations, [(&self.output, delta)]);
    }

    /// `gathered` from `normed`: how much each head replaces, `[m, n_heads]`, then the logarithms of decays.
    fn rates(&self, ops: &Ops<'_>, m: usize, w: &mut Workspace) {
        let n_heads = self.config.heads.n_heads;
        let (beta, g) = w.gathered[..2 * m * n_heads].split_at_mut(m * n_heads);
        let normed = &w.normed[..m * self.qkv.k];
        match &self.rates {
            Rates::One([both]) => {
                let mixed = &mut w.latents[..2 * m * n_heads];
                ops.linear(normed, &mut w.activations, [(both, &mut *mixed)]);
                let group = n_heads / self.config.n_key_heads;
                let pairs = mixed.chunks_exact(2 * group);
                let rows = beta.chunks_exact_mut(group).zip(g.chunks_exact_mut(group));
                for (pair, (beta, g)) in pairs.zip(rows) {
                    let (of_beta, of_g) = pair.split_at(group);
                    beta.copy_from_slice(of_beta);
                    g.copy_from_slice(of_g);
                }
            }
            Rates::Two([to_beta, to_g]) => {
                let products = [(to_beta, &mut *beta), (to_g, &mut *g)];
                ops.linear(normed, &mut w.activations, products);
            }
        }
        ops.activate(Activation::Sigmoid, beta);
        ops.add_row(g, &self.dt_bias);
        ops.activate(Activation::Softplus, g);
        ops.mul_row(g, &self.a);
    }
}

/// `x / sqrt(Σ x² + eps)` as an RMS norm: the mean is the sum divided by the length.
fn units(config: &DeltaNetConfig) -> Norm {
    let dim = config.heads.key_dim as f32;
    let gain = |gain: f32| vec![gain; config.d_key()];
    Norm {
        config: NormConfig::Rms {
            eps: UNIT_EPS / dim,
        },
        gain: [gain(1.0 / dim), gain(1.0 / dim.sqrt())].concat(),
        bias: Vec::new(),
    }
}
