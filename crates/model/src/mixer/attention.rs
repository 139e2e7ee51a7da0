//! Softmax attention: queries, keys and values, their norms and turns, and the output matrix.

use kernels::{Activation, BatchView, HeadTerms, KvLayer};

use crate::LoadError;
use crate::config::{AttentionConfig, ModelConfig, QkNorm, QkNormOver, RopeConfig};
use crate::names::Role;
use crate::norm::Norm;
use crate::ops::Ops;
use crate::weights::{Linear, Loader};
use crate::workspace::{Workspace, rope_configs};

pub(crate) struct AttentionWeights {
    config: AttentionConfig,
    q: Linear,
    k: Linear,
    v: Linear,
    output: Linear,
    qk_norms: Option<[Norm; 2]>,
    sub_norm: Option<Norm>,
    /// Empty if there are none.
    sinks: Vec<f32>,
    /// Which of the workspace's rotary tables.
    rope: Option<usize>,
}

impl AttentionWeights {
    pub(crate) fn load(
        config: &AttentionConfig,
        model: &ModelConfig,
        layer: usize,
        loader: &Loader<'_>,
    ) -> Result<Self, LoadError> {
        let d = model.d_model;
        let (q_dim, kv_dim) = (config.q_dim(), config.kv_dim());
        // Of each head the query, and behind it the gate if there is one.
        let q_rows = if config.gated { 2 * q_dim } else { q_dim };
        let [q, k, v] = if loader.has(Role::AttentionQkv, layer) {
            let fused = loader.linear(Role::AttentionQkv, layer, q_rows + 2 * kv_dim, d)?;
            let ends = [0, q_rows, q_rows + kv_dim, q_rows + 2 * kv_dim];
            [0, 1, 2].map(|i| fused.rows(ends[i]..ends[i + 1]))
        } else {
            let linear = |role, n| loader.linear(role, layer, n, d);
            [
                linear(Role::AttentionQ, q_rows)?,
                linear(Role::AttentionK, kv_dim)?,
                linear(Role::AttentionV, kv_dim)?,
            ]
        };
        let norm = |QkNorm { norm, over, .. }, role, dim| match over {
            QkNormOver::Head => Norm::load(norm, role, layer, config.head_dim, loader),
            QkNormOver::EachHead => {
                let rows = dim / config.head_dim;
                let gain = loader.table(role, layer, rows, config.head_dim)?;
                let (config, bias) = (norm, Vec::new());
                Ok(Norm { config, gain, bias })
            }
            QkNormOver::All => Norm::load(norm, role, layer, dim, loader),
        };
        let qk_norms = match config.qk_norm {
            Some(qk) => Some([
                norm(qk, Role::QueryNorm, q_dim)?,
                norm(qk, Role::KeyNorm, kv_dim)?,
            ]),
            None => None,
        };
        let sinks = if loader.has(Role::Sinks, layer) {
            loader.vector(Role::Sinks, layer, config.n_heads)?
        } else {
            Vec::new()
        };
        let ropes = rope_configs(model);
        let table = |rope: &RopeConfig| ropes.iter().position(|&other| other == rope);
        Ok(Self {
            q,
            k,
            v,
            output: loader.linear(Role::AttentionOutput, layer, d, q_dim)?,
            qk_norms,
            sub_norm: Norm::opt(
                config.sub_norm,
                Role::AttentionSubNorm,
                layer,
                q_dim,
                loader,
            )?,
            sinks,
            rope: config.rope.as_ref().and_then(table),
            config: config.clone(),
        })
    }

    pub(crate) fn linears(&self) -> [&Linear; 4] {
        [&self.q, &self.k, &self.v, &self.output]
    }

    pub(crate) fn linears_mut(&mut self) -> [&mut Linear; 4] {
        [&mut self.q, &mut self.k, &mut self.v, &mut self.output]
    }

    /// `delta = output(attention(q, k, v))` of `normed`.
    pub(crate) fn forward(
        &self,
        ops: &Ops<'_>,
        batch: BatchView<'_>,
        cache: &mut KvLayer,
        w: &mut Workspace,
        tap: &mut impl FnMut(&'static str, &[f32]),
    ) {
        let (m, config) = (batch.positions.len(), &self.config);
        let q_dim = config.q_dim();
        let (q, k) = (&mut w.q[..m * q_dim], &mut w.k[..m * self.k.n]);
        let v = &mut w.v[..m * self.v.n];
        let normed = &w.normed[..m * self.q.k];
        let mut product = |q: &mut [f32]| {
            let products = [(&self.q, q), (&self.k, &mut *k), (&self.v, &mut *v)];
            ops.linear(normed, &mut w.activations, products);
        };
        if config.gated {
            let with_gates = &mut w.gathered[..m * self.q.n];
            product(with_gates);
            take_halves(with_gates, config.head_dim, 0, q);
        } else {
            product(q);
        }
        if let Some(bound) = config.clamp {
            for x in [&mut *q, &mut *k, &mut *v] {
                ops.clamp(x, bound);
            }
        }
        let after_rope = config.qk_norm.is_some_and(|norm| norm.after_rope);
        if !after_rope {
            self.norm_heads(ops, q, k, &mut w.room);
        }
        if let (Some(table), Some(rope)) = (self.rope, &config.rope) {
            ops.rope(&w.ropes[table], rope.pairing, config, q, k);
        }
        if after_rope {
            self.norm_heads(ops, q, k, &mut w.room);
        }
        if let Some(temperature) = config.temperature {
            let rows = q.chunks_exact_mut(q_dim).zip(batch.positions);
            for (row, &position) in rows {
                let steps = (position as usize / temperature.span) as f32;
                ops.scale(row, 1.0 + temperature.scale * steps.ln_1p());
            }
        }
        tap("Qcur", q);
        tap("Kcur", k);
        tap("Vcur", v);
        let attended = &mut w.attended[..q.len()];
        let terms = HeadTerms {
            slopes: &config.slopes,
            sinks: &self.sinks,
        };
        ops.attention(&config.shape(), terms, batch, (q, k, v), cache, attended);
        tap("kqv_out", attended);
        if let Some(norm) = &self.sub_norm {
            norm.in_place(ops, attended, &mut w.room);
        }
        let out = if config.gated {
            // Queries are done with.
            let with_gates = &w.gathered[..m * self.q.n];
            take_halves(with_gates, config.head_dim, config.head_dim, q);
            ops.gate(Activation::Sigmoid, q, attended);
            q
        } else {
            attended
        };
        let delta = &mut w.delta[..m * self.output.n];
        ops.linear(out, &mut w.activations, [(&self.output, delta)]);
    }

    fn norm_heads(&self, ops: &Ops<'_>, q: &mut [f32], k: &mut [f32], room: &mut [f32]) {
        let (Some([q_norm, k_norm]), Some(config)) = (&self.qk_norms, self.config.qk_norm) else {
            return;
        };
        for (norm, x) in [(q_norm, q), (k_norm, k)] {
            if config.over == QkNormOver::EachHead {
                let dim = self.config.head_dim;
                ops.norm_each_head(norm, dim, x, room);
            } else {
                norm.in_place(ops, x, room);
            }
        }
    }
}

/// Of each head of twice `dim` the half that begins at `start`.
fn take_halves(both: &[f32], dim: usize, start: usize, out: &mut [f32]) {
    let heads = both.chunks_exact(2 * dim).zip(out.chunks_exact_mut(dim));
    for (both, out) in heads {
        out.copy_from_slice(&both[start..start + dim]);
    }
}
