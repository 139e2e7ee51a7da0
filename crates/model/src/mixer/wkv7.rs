//! RWKV 7's time mix (Peng et al. 2025, arXiv:2503.14456).
//!
//! ```text
//! x_i      = x + shift * lerp_i                            i = r, w, k, v, a, g; shift = what the token before has more
//! w        = exp(-e^(-1/2) sigmoid(w_0 + w_2(tanh(w_1(x_w)))))
//! a        = sigmoid(a_0 + a_2(a_1(x_a)))                  g = g_2(sigmoid(g_1(x_g)))
//! kk       = unit(k * k_k)                                 k = k * (1 + (a - 1) * k_a)
//! v        = v + (v of the first layer - v) * sigmoid(v_0 + v_2(v_1(x_v)))
//! delta    = output((norm(wkv(r, w, k, v, -kk, kk * a)) + Σ(r * k * r_k) * v) * g)
//! ```
//!
//! Norm, unit and sum are over each head. Reference: BlinkDL's `rwkv/model.py`, `RWKV_x070_TMix_seq`.

use kernels::{Activation, BatchView, StateLayer, Wkv, WkvRule};

use crate::LoadError;
use crate::config::{NormConfig, Wkv7Config};
use crate::mixer::TokenShift;
use crate::names::Role;
use crate::norm::Norm;
use crate::ops::Ops;
use crate::weights::{Linear, Loader};
use crate::workspace::Workspace;

/// In the order of the file.
const LERPS: [Role; 6] = [
    Role::WkvLerpR,
    Role::WkvLerpW,
    Role::WkvLerpK,
    Role::WkvLerpV,
    Role::WkvLerpA,
    Role::WkvLerpG,
];
/// `-e^(-1/2)`, as the reference has it: the logarithm of the fastest decay.
const FASTEST: f32 = -0.606_531;
/// Added to the square of a key's length.
const UNIT_EPS: f32 = 1e-24;

pub(crate) struct Wkv7Weights {
    config: Wkv7Config,
    shift: TokenShift,
    lerps: [Vec<f32>; 6],
    decay: LowRank,
    rate: LowRank,
    /// None in the first layer, whose values are the ones that others take.
    value: Option<LowRank>,
    gate: [Linear; 2],
    /// Of `r`, `k` and `v`.
    inputs: [Linear; 3],
    key_factor: Vec<f32>,
    key_rate: Vec<f32>,
    /// `1 - key_rate`.
    key_rest: Vec<f32>,
    own: Vec<f32>,
    units: Norm,
    norm: Norm,
    output: Linear,
}

/// `bias + second(first(x))`.
struct LowRank {
    bias: Vec<f32>,
    linears: [Linear; 2],
}

impl LowRank {
    fn load(
        [bias, first, second]: [Role; 3],
        (rank, d): (usize, usize),
        layer: usize,
        loader: &Loader<'_>,
    ) -> Result<Self, LoadError> {
        Ok(Self {
            bias: loader.lerp(bias, layer, d)?,
            linears: [
                loader.linear(first, layer, rank, d)?,
                loader.linear(second, layer, d, rank)?,
            ],
        })
    }
}

impl Wkv7Weights {
    pub(crate) fn load(
        config: Wkv7Config,
        layer: usize,
        loader: &Loader<'_>,
    ) -> Result<Self, LoadError> {
        let heads = config.heads;
        let d = heads.n_heads * heads.value_dim;
        let square = |role| loader.linear(role, layer, d, d);
        let row = |role| loader.lerp(role, layer, d);
        let low = |roles, rank| LowRank::load(roles, (rank, d), layer, loader);
        let values = [Role::WkvV0, Role::WkvV1, Role::WkvV2];
        let value = match config.value_rank {
            Some(rank) => Some(low(values, rank)?),
            None => {
                // Converters fill the place with what is at hand.
                for role in values {
                    loader.ignore(&format!("{}.weight", role.gguf(layer)));
                }
                None
            }
        };
        let key_rate = row(Role::WkvKeyRate)?;
        Ok(Self {
            shift: TokenShift::new(d),
            lerps: loader.lerps(LERPS, layer, d)?,
            decay: low([Role::WkvW0, Role::WkvW1, Role::WkvW2], config.decay_rank)?,
            rate: low([Role::WkvA0, Role::WkvA1, Role::WkvA2], config.rate_rank)?,
            value,
            gate: [
                loader.linear(Role::WkvG1, layer, config.gate_rank, d)?,
                loader.linear(Role::WkvG2, layer, d, config.gate_rank)?,
            ],
            inputs: [
                square(Role::WkvReceptance)?,
                square(Role::WkvKey)?,
                square(Role::WkvValue)?,
            ],
            key_factor: row(Role::WkvKeyFactor)?,
            key_rest: key_rate.iter().map(|rate| 1.0 - rate).collect(),
            key_rate,
            own: loader.flat(Role::WkvOwn, layer, (heads.n_heads, heads.key_dim))?,
            units: units(heads.key_dim, d),
            norm: Norm::load(config.norm, Role::WkvNorm, layer, d, loader)?,
            output: square(Role::WkvOutput)?,
            config,
        })
    }

    pub(crate) fn linears(&self) -> Vec<&Linear> {
        let low = [Some(&self.decay), Some(&self.rate), self.value.as_ref()];
        let low = low.into_iter().flatten().flat_map(|low| &low.linears);
        let linears = low.chain(&self.gate).chain(&self.inputs);
        linears.chain([&self.output]).collect()
    }

    pub(crate) fn linears_mut(&mut self) -> Vec<&mut Linear> {
        let low = [
            Some(&mut self.decay),
            Some(&mut self.rate),
            self.value.as_mut(),
        ];
        let low = low.into_iter().flatten().flat_map(|low| &mut low.linears);
        let linears = low.chain(&mut self.gate).chain(&mut self.inputs);
        linears.chain([&mut self.output]).collect()
    }

    /// `delta = output((norm(wkv(…)) + own) * g)` of `normed`.
    pub(crate) fn forward(
        &self,
        ops: &Ops<'_>,
        batch: BatchView<'_>,
        [before, state]: &mut [StateLayer; 2],
        w: &mut Workspace,
    ) {
        let (m, heads) = (batch.positions.len(), self.config.heads);
        let (len, dim) = (m * self.output.n, heads.value_dim);
        let (normed, out) = (&w.normed[..len], &mut w.attended[..len]);
        self.shift.forward(ops, batch, normed, before, out);
        for (lerp, mixed) in self.lerps.iter().zip(w.mixed.chunks_exact_mut(len)) {
            ops.lerp((normed, out), lerp, mixed);
        }
        let mut mixed = w.mixed.chunks_exact_mut(len);
        let [xr, xw, xk, xv, xa, xg] = std::array::from_fn(|_| mixed.next().expect("six parts"));
        let [to_r, to_k, to_v] = &self.inputs;
        let (r, k, v) = (&mut w.q[..len], &mut w.k[..len], &mut w.v[..len]);
        let activations = &mut w.activations;
        ops.linear(xr, activations, [(to_r, &mut *r)]);
        ops.linear(xk, activations, [(to_k, &mut *k)]);
        ops.linear(xv, activations, [(to_v, &mut *v)]);
        let mut through = |linears: &[Linear; 2], bend: Option<Activation>, x: &mut [f32]| {
            let inner = &mut w.latents[..m * linears[0].n];
            ops.linear(x, activations, [(&linears[0], &mut *inner)]);
            if let Some(bend) = bend {
                ops.activate(bend, inner);
            }
            ops.linear(inner, activations, [(&linears[1], x)]);
        };
        through(&self.decay.linears, Some(Activation::Tanh), xw);
        through(&self.rate.linears, None, xa);
        through(&self.gate, Some(Activation::Sigmoid), xg);
        match &self.value {
            None => w.first_values[..len].copy_from_slice(v),
            Some(value) => {
                through(&value.linears, None, xv);
                ops.add_row(xv, &value.bias);
                ops.activate(Activation::Sigmoid, xv);
                out.copy_from_slice(v);
                ops.scale(out, -1.0);
                ops.add(out, &w.first_values[..len]);
                ops.mul(out, xv);
                ops.add(v, out);
            }
        }
        let (decay, rate, gate) = (xw, xa, xg);
        ops.add_row(decay, &self.decay.bias);
        ops.activate(Activation::Sigmoid, decay);
        ops.scale(decay, FASTEST);
        ops.activate(Activation::Exp, decay);
        ops.add_row(rate, &self.rate.bias);
        ops.activate(Activation::Sigmoid, rate);

        let read = xk;
        read.copy_from_slice(k);
        ops.mul_row(read, &self.key_factor);
        ops.norm_each_head(&self.units, heads.key_dim, read, &mut w.room);
        out.copy_from_slice(rate);
        ops.mul_row(out, &self.key_rate);
        ops.add_row(out, &self.key_rest);
        ops.mul(k, out);
        let written = rate;
        ops.mul(written, read);
        ops.scale(read, -1.0);
        let wkv = Wkv {
            heads,
            r,
            w: decay,
            k,
            v,
            rule: WkvRule::Replace(read, written),
        };
        ops.wkv(batch, wkv, state, out);
        ops.norm_each_head(&self.norm, dim, out, &mut w.room);
        ops.mul(r, k);
        ops.mul_row(r, &self.own);
        ops.add_scaled_heads(dim, r, v, out);
        ops.mul(out, gate);
        ops.linear(out, activations, [(&self.output, &mut w.delta[..len])]);
    }
}

/// `x / sqrt(Σ x² + eps)` over each head as an RMS norm: the mean is the sum divided by the length.
fn units(dim: usize, d: usize) -> Norm {
    let len = dim as f32;
    Norm {
        config: NormConfig::Rms {
            eps: UNIT_EPS / len,
        },
        gain: vec![1.0 / len.sqrt(); d],
        bias: Vec::new(),
    }
}
