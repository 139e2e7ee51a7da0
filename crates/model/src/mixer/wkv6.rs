//! RWKV 6's time mix (Peng et al. 2024, arXiv:2404.05892).
//!
//! ```text
//! t          = tanh(in(x + shift * lerp_x))                shift = what the token before has more
//! x_i        = x + shift * (lerp_i + out_i(t_i))           i = w, k, v, r, g
//! w          = exp(-exp(decay + decay_out(tanh(decay_in(x_w)))))
//! r, k, v, g = their matrices' of x_r, x_k, x_v, x_g
//! delta      = output(norm(wkv(r, w, k, v)) * silu(g))
//! ```
//!
//! The norm is over each head. Reference: BlinkDL's `rwkv/model.py`, `att_seq_v6_0`.

use kernels::{Activation, BatchView, StateLayer, Wkv, WkvRule};

use crate::LoadError;
use crate::config::Wkv6Config;
use crate::mixer::TokenShift;
use crate::names::Role;
use crate::norm::Norm;
use crate::ops::Ops;
use crate::weights::{Linear, Loader};
use crate::workspace::Workspace;

/// In the order of the file.
const LERPS: [Role; 5] = [
    Role::WkvLerpW,
    Role::WkvLerpK,
    Role::WkvLerpV,
    Role::WkvLerpR,
    Role::WkvLerpG,
];

pub(crate) struct Wkv6Weights {
    config: Wkv6Config,
    shift: TokenShift,
    lerp_x: Vec<f32>,
    lerps: [Vec<f32>; 5],
    mix_in: Linear,
    mix_out: [Linear; 5],
    decay: Vec<f32>,
    decays: [Linear; 2],
    /// Of `k`, `v`, `r` and `g`.
    inputs: [Linear; 4],
    first: Vec<f32>,
    norm: Norm,
    output: Linear,
}

impl Wkv6Weights {
    pub(crate) fn load(
        config: Wkv6Config,
        layer: usize,
        loader: &Loader<'_>,
    ) -> Result<Self, LoadError> {
        let (heads, mix, decay) = (config.heads, config.mix_rank, config.decay_rank);
        let d = heads.n_heads * heads.value_dim;
        let square = |role| loader.linear(role, layer, d, d);
        let mix_out = loader.stack(Role::WkvW2, layer, (5, d, mix))?;
        Ok(Self {
            shift: TokenShift::new(d),
            lerp_x: loader.lerp(Role::WkvLerpX, layer, d)?,
            lerps: loader.lerps(LERPS, layer, d)?,
            mix_in: loader.linear(Role::WkvW1, layer, 5 * mix, d)?,
            mix_out: [0, 1, 2, 3, 4].map(|i| mix_out.rows(i * d..(i + 1) * d)),
            decay: loader.lerp(Role::WkvDecay, layer, d)?,
            decays: [
                loader.linear(Role::WkvDecayIn, layer, decay, d)?,
                loader.linear(Role::WkvDecayOut, layer, d, decay)?,
            ],
            inputs: [
                square(Role::WkvKey)?,
                square(Role::WkvValue)?,
                square(Role::WkvReceptance)?,
                square(Role::WkvGate)?,
            ],
            first: loader.table(Role::WkvFirst, layer, heads.n_heads, heads.key_dim)?,
            norm: Norm::load(config.norm, Role::WkvNorm, layer, d, loader)?,
            output: square(Role::WkvOutput)?,
            config,
        })
    }

    pub(crate) fn linears(&self) -> Vec<&Linear> {
        let mut linears = vec![&self.mix_in];
        linears.extend(&self.mix_out);
        linears.extend(&self.decays);
        linears.extend(&self.inputs);
        linears.push(&self.output);
        linears
    }

    pub(crate) fn linears_mut(&mut self) -> Vec<&mut Linear> {
        let mut linears = vec![&mut self.mix_in];
        linears.extend(&mut self.mix_out);
        linears.extend(&mut self.decays);
        linears.extend(&mut self.inputs);
        linears.push(&mut self.output);
        linears
    }

    /// `delta = output(norm(wkv(…)) * silu(g))` of `normed`.
    pub(crate) fn forward(
        &self,
        ops: &Ops<'_>,
        batch: BatchView<'_>,
        [before, state]: &mut [StateLayer; 2],
        w: &mut Workspace,
    ) {
        let (m, heads) = (batch.positions.len(), self.config.heads);
        let len = m * self.output.n;
        self.mix(ops, batch, before, w);
        let mut mixed = w.mixed.chunks_exact_mut(len);
        let [xw, xk, xv, xr, xg] = std::array::from_fn(|_| mixed.next().expect("five parts"));
        let [to_k, to_v, to_r, to_g] = &self.inputs;
        let (r, k, v) = (&mut w.q[..len], &mut w.k[..len], &mut w.v[..len]);
        let activations = &mut w.activations;
        ops.linear(xk, activations, [(to_k, &mut *k)]);
        ops.linear(xv, activations, [(to_v, &mut *v)]);
        ops.linear(xr, activations, [(to_r, &mut *r)]);
        let gate = xk;
        ops.linear(xg, activations, [(to_g, &mut *gate)]);
        let [decay_in, decay_out] = &self.decays;
        let inner = &mut w.latents[..m * decay_in.n];
        ops.linear(xw, activations, [(decay_in, &mut *inner)]);
        ops.activate(Activation::Tanh, inner);
        let decay = xw;
        ops.linear(inner, activations, [(decay_out, &mut *decay)]);
        ops.add_row(decay, &self.decay);
        ops.activate(Activation::Exp, decay);
        ops.scale(decay, -1.0);
        ops.activate(Activation::Exp, decay);

        let wkv = Wkv {
            heads,
            r,
            w: decay,
            k,
            v,
            rule: WkvRule::Bonus(&self.first),
        };
        let out = &mut w.attended[..len];
        ops.wkv(batch, wkv, state, out);
        ops.norm_each_head(&self.norm, heads.value_dim, out, &mut w.room);
        ops.gate(Activation::Silu, gate, out);
        ops.linear(gate, activations, [(&self.output, &mut w.delta[..len])]);
    }

    /// `mixed = x_w, x_k, x_v, x_r, x_g`, one after the other.
    fn mix(&self, ops: &Ops<'_>, batch: BatchView<'_>, before: &mut StateLayer, w: &mut Workspace) {
        let (m, d, rank) = (batch.positions.len(), self.output.n, self.config.mix_rank);
        let len = m * d;
        let (normed, shift) = (&w.normed[..len], &mut w.attended[..len]);
        self.shift.forward(ops, batch, normed, before, shift);
        let (x, inner) = (&mut w.delta[..len], &mut w.latents[..m * 5 * rank]);
        ops.lerp((normed, shift), &self.lerp_x, x);
        ops.linear(x, &mut w.activations, [(&self.mix_in, &mut *inner)]);
        ops.activate(Activation::Tanh, inner);
        let parts = w.mixed.chunks_exact_mut(len);
        for (i, ((out, linear), lerp)) in parts.zip(&self.mix_out).zip(&self.lerps).enumerate() {
            let part = &mut w.gathered[..m * rank];
            let rows = part.chunks_exact_mut(rank);
            for (row, whole) in rows.zip(inner.chunks_exact(5 * rank)) {
                row.copy_from_slice(&whole[i * rank..][..rank]);
            }
            ops.linear(part, &mut w.activations, [(linear, &mut *out)]);
            ops.add_row(out, lerp);
            ops.mul(out, shift);
            ops.add(out, normed);
        }
    }
}
