//! Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434): keys and values of all heads come from one short
//! vector per token, the *latent*, and only that is kept.
//!
//! ```text
//! c      = norm(kv_a x)[.. kv_rank]         k_rope = rope(kv_a x)[kv_rank ..]      kept: (k_rope, c)
//! q      = q_b norm(q_a x), or q x          of head h: (q_nope, rope(q_rope))
//! score  = (k_b[h] q_nope) · c + q_rope · k_rope
//! out[h] = v_b[h] Σ probs c
//! ```
//!
//! `k_b` is applied to queries, not to keys ("absorbed"), so attention has one key head as wide as a latent and its
//! turned part. Its values are zeros, where keys have the turned
//! part, and the latents.

use kernels::{BatchView, HeadTerms, KvLayer};

use crate::LoadError;
use crate::config::{LatentConfig, ModelConfig, RopeConfig};
use crate::names::Role;
use crate::norm::Norm;
use crate::ops::Ops;
use crate::weights::{Linear, Loader};
use crate::workspace::{Workspace, rope_configs};

pub(crate) struct LatentWeights {
    config: LatentConfig,
    /// First half of the query's matrix, and its norm, where it has two.
    q_a: Option<(Linear, Norm)>,
    q: Linear,
    kv_a: Linear,
    kv_norm: Norm,
    /// `[kv_rank, nope_dim]` of each head.
    k_b: Vec<Linear>,
    /// `[value_dim, kv_rank]` of each head.
    v_b: Vec<Linear>,
    output: Linear,
    /// Which of the workspace's rotary tables.
    rope: usize,
}

impl LatentWeights {
    pub(crate) fn load(
        config: &LatentConfig,
        model: &ModelConfig,
        layer: usize,
        loader: &Loader<'_>,
    ) -> Result<Self, LoadError> {
        let (d, heads) = (model.d_model, config.n_heads);
        let linear = |role, n, k| loader.linear(role, layer, n, k);
        let q_a = match config.q_rank {
            Some(rank) => Some((
                linear(Role::LatentQA, rank, d)?,
                Norm::load(config.norm, Role::LatentQNorm, layer, rank, loader)?,
            )),
            None => None,
        };
        let q_role = match config.q_rank {
            Some(_) => Role::LatentQB,
            None => Role::AttentionQ,
        };
        let per_head = |role, n, k| {
            let all = loader.stack(role, layer, (heads, n, k))?;
            let head = |head: usize| all.rows(head * n..(head + 1) * n);
            Ok::<_, LoadError>((0..heads).map(head).collect())
        };
        let rank = config.kv_rank;
        let ropes = rope_configs(model);
        let same = |&other: &&RopeConfig| *other == config.rope;
        Ok(Self {
            q: linear(q_role, config.q_dim(), config.q_rank.unwrap_or(d))?,
            q_a,
            kv_a: linear(Role::LatentKvA, config.kept_dim(), d)?,
            kv_norm: Norm::load(config.norm, Role::LatentKvNorm, layer, rank, loader)?,
            k_b: per_head(Role::LatentKB, rank, config.nope_dim)?,
            v_b: per_head(Role::LatentVB, config.value_dim, rank)?,
            output: linear(Role::AttentionOutput, d, heads * config.value_dim)?,
            rope: ropes.iter().position(same).expect("every layer's is there"),
            config: config.clone(),
        })
    }

    pub(crate) fn linears(&self) -> Vec<&Linear> {
        let mut linears: Vec<&Linear> = self.q_a.iter().map(|(linear, _)| linear).collect();
        linears.extend([&self.q, &self.kv_a]);
        linears.extend(self.k_b.iter().chain(&self.v_b));
        linears.push(&self.output);
        linears
    }

    pub(crate) fn linears_mut(&mut self) -> Vec<&mut Linear> {
        let q_a = self.q_a.iter_mut().map(|(linear, _)| linear);
        let mut linears: Vec<&mut Linear> = q_a.collect();
        linears.extend([&mut self.q, &mut self.kv_a]);
        linears.extend(self.k_b.iter_mut().chain(&mut self.v_b));
        linears.push(&mut self.output);
        linears
    }

    /// `delta = output(out)` of `normed`.
    pub(crate) fn forward(
        &self,
        ops: &Ops<'_>,
        batch: BatchView<'_>,
        cache: &mut KvLayer,
        w: &mut Workspace,
        tap: &mut impl FnMut(&'static str, &[f32]),
    ) {
        let (m, config) = (batch.positions.len(), &self.config);
        self.queries(ops, m, w);
        self.keys_and_values(ops, m, w);
        let (kept, heads) = (config.kept_dim(), config.n_heads);
        let q = &w.latent_q[..m * heads * kept];
        let (k, v) = (&w.k[..m * kept], &w.v[..m * kept]);
        let attended = &mut w.attended[..q.len()];
        let terms = HeadTerms::default();
        ops.attention(&config.shape(), terms, batch, (q, k, v), cache, attended);
        self.heads_out(ops, m, w);
        let out = &w.q[..m * self.output.k];
        tap("kqv_out", out);
        let delta = &mut w.delta[..m * self.output.n];
        ops.linear(out, &mut w.activations, [(&self.output, delta)]);
    }

    /// `latent_q` from `normed`: of each head `(k_b q_nope, rope(q_rope))`.
    fn queries(&self, ops: &Ops<'_>, m: usize, w: &mut Workspace) {
        let config = &self.config;
        let q = &mut w.q[..m * self.q.n];
        if let Some((q_a, norm)) = &self.q_a {
            let short = &mut w.gathered[..m * q_a.n];
            let normed = &w.normed[..m * q_a.k];
            ops.linear(normed, &mut w.activations, [(q_a, &mut *short)]);
            norm.in_place(ops, short, &mut w.room);
            ops.linear(short, &mut w.activations, [(&self.q, &mut *q)]);
        } else {
            let normed = &w.normed[..m * self.q.k];
            ops.linear(normed, &mut w.activations, [(&self.q, &mut *q)]);
        }
        let (nope, rank, kept) = (config.nope_dim, config.kv_rank, config.kept_dim());
        let (q_head, q_row) = (nope + config.rope_dim(), self.q.n);
        for (head, k_b) in self.k_b.iter().enumerate() {
            let x = &mut w.gathered[..m * nope];
            for (x, q) in x.chunks_exact_mut(nope).zip(q.chunks_exact(q_row)) {
                x.copy_from_slice(&q[head * q_head..][..nope]);
            }
            let absorbed = &mut w.room[..m * rank];
            ops.linear(x, &mut w.activations, [(k_b, &mut *absorbed)]);
            let rows = w.latent_q.chunks_exact_mut(config.n_heads * kept);
            let sources = absorbed.chunks_exact(rank).zip(q.chunks_exact(q_row));
            for (row, (absorbed, q)) in rows.zip(sources) {
                // Turned elements stand first until they are turned.
                let row = &mut row[head * kept..][..kept];
                let (turned, rest) = row.split_at_mut(config.rope_dim());
                turned.copy_from_slice(&q[head * q_head + nope..][..config.rope_dim()]);
                rest.copy_from_slice(absorbed);
            }
        }
        let latent_q = &mut w.latent_q[..m * config.n_heads * kept];
        let pairing = config.rope.pairing;
        ops.turn(
            &w.ropes[self.rope],
            pairing,
            (config.n_heads, kept),
            latent_q,
        );
    }

    /// `k` from `normed`: the turned part and the latent; `v`: zeros and the latent.
    fn keys_and_values(&self, ops: &Ops<'_>, m: usize, w: &mut Workspace) {
        let config = &self.config;
        let (rank, kept, turned) = (config.kv_rank, config.kept_dim(), config.rope_dim());
        let raw = &mut w.gathered[..m * kept];
        let normed = &w.normed[..m * self.kv_a.k];
        ops.linear(normed, &mut w.activations, [(&self.kv_a, &mut *raw)]);
        let (k, v) = (&mut w.k[..m * kept], &mut w.v[..m * kept]);
        let latent = &mut w.room[..m * rank];
        for (latent, raw) in latent.chunks_exact_mut(rank).zip(raw.chunks_exact(kept)) {
            latent.copy_from_slice(&raw[..rank]);
        }
        // The raw rows are needed for their turned part only.
        let (out, raw) = (&mut w.latents[..m * rank], &*raw);
        ops.norm(&self.kv_norm, latent, out);
        let rows = k.chunks_exact_mut(kept).zip(v.chunks_exact_mut(kept));
        let sources = out.chunks_exact(rank).zip(raw.chunks_exact(kept));
        for ((k, v), (latent, raw)) in rows.zip(sources) {
            k[..turned].copy_from_slice(&raw[rank..]);
            k[turned..].copy_from_slice(latent);
            v[..turned].fill(0.0);
            v[turned..].copy_from_slice(latent);
        }
        ops.turn(&w.ropes[self.rope], config.rope.pairing, (1, kept), k);
    }

    /// `q`, which is free by now, from `attended`: `v_b` of each head's sum of latents.
    fn heads_out(&self, ops: &Ops<'_>, m: usize, w: &mut Workspace) {
        let config = &self.config;
        let (rank, kept, dim) = (config.kv_rank, config.kept_dim(), config.value_dim);
        for (head, v_b) in self.v_b.iter().enumerate() {
            let x = &mut w.gathered[..m * rank];
            let rows = w.attended.chunks_exact(config.n_heads * kept);
            for (x, row) in x.chunks_exact_mut(rank).zip(rows) {
                x.copy_from_slice(&row[head * kept + config.rope_dim()..][..rank]);
            }
            let y = &mut w.room[..m * dim];
            ops.linear(x, &mut w.activations, [(v_b, &mut *y)]);
            let rows = w.q.chunks_exact_mut(config.n_heads * dim);
            for (row, y) in rows.zip(y.chunks_exact(dim)) {
                row[head * dim..][..dim].copy_from_slice(y);
            }
        }
    }
}
