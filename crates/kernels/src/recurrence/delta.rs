//! Linear attention that replaces instead of adding: the gated delta rule, and RWKV's.
//!
//! ```text
//! gated delta   S = S exp(g)                     held = kᵀ S     S += k (beta (v - held))ᵀ     out = qᵀ S
//! RWKV 6        out = rᵀ (S + (u ∘ k) vᵀ)        S = w ∘ S + k vᵀ
//! RWKV 7        held = aᵀ S                      S = w ∘ S + b heldᵀ + k vᵀ                    out = rᵀ S
//! ```
//!
//! `S` is `[key_dim, value_dim]` for each head, `w` a decay for each of its rows. Gated Delta Networks (Yang et al. 2024,
//! arXiv:2412.06464); RWKV 6 and 7 (Peng et al. 2024 and 2025, arXiv:2404.05892, arXiv:2503.14456). Values lie side by
//! side in vectors, `[heads][16 values][key_dim][16]`, so that no sum goes across lanes.

use super::{At, Columns, Heads, Recurrence, StateLayer, advance, rows_of, store_part, walk};
use crate::Context;
use crate::attention::BatchView;
use crate::isa::{Isa, LANES};
use crate::vector::{exp, padded};

/// What the gated delta rule is given.
#[derive(Clone, Copy)]
pub struct GatedDelta<'a> {
    /// Heads of values.
    pub heads: Heads,
    /// Heads of queries and keys; head `h` of the values has number `h % n_key_heads` or, if `grouped`,
    /// `h / (n_heads / n_key_heads)`.
    pub n_key_heads: usize,
    /// See `n_key_heads`.
    pub grouped: bool,
    /// `[n_tokens, n_key_heads * key_dim]`, scaled.
    pub q: Columns<'a>,
    /// `[n_tokens, n_key_heads * key_dim]`, of length 1 each.
    pub k: Columns<'a>,
    /// `[n_tokens, n_heads * value_dim]`.
    pub v: Columns<'a>,
    /// `[n_tokens, n_heads]`: logarithms of decays, not positive.
    pub g: &'a [f32],
    /// `[n_tokens, n_heads]`: how much of the old value is replaced.
    pub beta: &'a [f32],
}

/// The gated delta rule: `out` is `[n_tokens, n_heads * value_dim]`.
///
/// # Panics
/// If shapes do not fit.
pub fn gated_delta(
    context: &Context,
    batch: BatchView<'_>,
    rule: GatedDelta<'_>,
    state: &mut StateLayer,
    out: &mut [f32],
) {
    let (m, heads) = (batch.positions.len(), rule.heads);
    let keys = rule.n_key_heads * heads.key_dim;
    assert_eq!([rule.q.width(), rule.k.width()], [keys; 2], "all key heads");
    let values = heads.n_heads * heads.value_dim;
    assert_eq!(rule.v.width(), values, "all heads side by side");
    let lens = [rule.g.len(), rule.beta.len()];
    assert_eq!(lens, [m * heads.n_heads; 2], "one for each head");
    assert!(
        heads.n_heads.is_multiple_of(rule.n_key_heads),
        "as many heads for each key head"
    );
    heads.check(m, state, out);
    walk(context, batch, state, out, &rule);
}

impl Recurrence for GatedDelta<'_> {
    fn state_piece(&self) -> usize {
        self.heads.piece_len()
    }

    fn out_piece(&self) -> usize {
        self.heads.value_dim
    }

    #[inline(always)]
    fn step<I: Isa>(&self, isa: I, at: At, state: &mut [f32], out: &mut [f32]) {
        let (head, n) = (at.piece, self.heads.key_dim);
        let key_head = match self.grouped {
            true => head / (self.heads.n_heads / self.n_key_heads),
            false => head % self.n_key_heads,
        };
        let q = &self.q.row(at.token)[key_head * n..][..n];
        let k = &self.k.row(at.token)[key_head * n..][..n];
        let v = &self.v.row(at.token)[head * self.heads.value_dim..];
        let of_head = at.token * self.heads.n_heads + head;
        let decay = exp(isa, isa.splat(self.g[of_head]));
        let beta = isa.splat(self.beta[of_head]);
        for (i, out) in out.chunks_mut(LANES).enumerate() {
            let rows = rows_of(state, i, n);
            // The state decays when it is written: what it holds decays alike.
            let held = isa.mul(decay, read(isa, rows, k));
            let v = isa.load(&padded(&v[i * LANES..][..out.len()]));
            let delta = isa.mul(beta, isa.sub(v, held));
            let mut sum = isa.splat(0.0);
            for (row, (&k, &q)) in rows.iter_mut().zip(k.iter().zip(q)) {
                sum = advance(isa, row, decay, (k, delta, q), sum);
            }
            store_part(isa, sum, out);
        }
    }
}

/// `Σ query[n] rows[n]`.
#[inline(always)]
fn read<I: Isa>(isa: I, rows: &[[f32; LANES]], query: &[f32]) -> I::F32 {
    let mut sum = isa.splat(0.0);
    for (row, &query) in rows.iter().zip(query) {
        sum = isa.mul_add(isa.splat(query), isa.load(row), sum);
    }
    sum
}

/// What RWKV's recurrences are given: all `[n_tokens, n_heads * dim]`, keys and values being equally wide.
#[derive(Clone, Copy)]
pub struct Wkv<'a> {
    /// Heads.
    pub heads: Heads,
    /// What reads the state.
    pub r: &'a [f32],
    /// Decays, from 0 to 1.
    pub w: &'a [f32],
    /// Keys.
    pub k: &'a [f32],
    /// Values.
    pub v: &'a [f32],
    /// What is done besides adding.
    pub rule: WkvRule<'a>,
}

/// How a generation of RWKV treats its state.
#[derive(Clone, Copy)]
pub enum WkvRule<'a> {
    /// RWKV 6: the token's own value counts `u` times, `[n_heads * dim]`, and is added afterwards.
    Bonus(&'a [f32]),
    /// RWKV 7: what `a` reads is written back by `b`, both `[n_tokens, n_heads * dim]`.
    Replace(&'a [f32], &'a [f32]),
}

/// RWKV's recurrence: `out` is `[n_tokens, n_heads * dim]`.
///
/// # Panics
/// If shapes do not fit.
pub fn wkv(
    context: &Context,
    batch: BatchView<'_>,
    wkv: Wkv<'_>,
    state: &mut StateLayer,
    out: &mut [f32],
) {
    let (m, heads) = (batch.positions.len(), wkv.heads);
    assert_eq!(heads.key_dim, heads.value_dim, "equally wide");
    let width = heads.n_heads * heads.key_dim;
    let lens = [wkv.r, wkv.w, wkv.k, wkv.v].map(<[f32]>::len);
    assert_eq!(lens, [m * width; 4], "a row for each token");
    match wkv.rule {
        WkvRule::Bonus(u) => assert_eq!(u.len(), width, "one for each key"),
        WkvRule::Replace(a, b) => {
            assert_eq!([a.len(), b.len()], [m * width; 2], "a row for each token");
        }
    }
    heads.check(m, state, out);
    walk(context, batch, state, out, &wkv);
}

impl Recurrence for Wkv<'_> {
    fn state_piece(&self) -> usize {
        self.heads.piece_len()
    }

    fn out_piece(&self) -> usize {
        self.heads.value_dim
    }

    #[inline(always)]
    fn step<I: Isa>(&self, isa: I, at: At, state: &mut [f32], out: &mut [f32]) {
        let n = self.heads.key_dim;
        let start = (at.token * self.heads.n_heads + at.piece) * n;
        let (r, w) = (&self.r[start..][..n], &self.w[start..][..n]);
        let (k, v) = (&self.k[start..][..n], &self.v[start..][..n]);
        for (i, out) in out.chunks_mut(LANES).enumerate() {
            let v = isa.load(&padded(&v[i * LANES..][..out.len()]));
            let rows = rows_of(state, i, n);
            let mut sum = isa.splat(0.0);
            match self.rule {
                WkvRule::Bonus(u) => {
                    let u = &u[at.piece * n..][..n];
                    for (j, row) in rows.iter_mut().enumerate() {
                        let (old, kv) = (isa.load(row), isa.mul(isa.splat(k[j]), v));
                        let seen = isa.mul_add(isa.splat(u[j]), kv, old);
                        sum = isa.mul_add(isa.splat(r[j]), seen, sum);
                        isa.store(isa.mul_add(isa.splat(w[j]), old, kv), row);
                    }
                }
                WkvRule::Replace(a, b) => {
                    let (a, b) = (&a[start..][..n], &b[start..][..n]);
                    let held = read(isa, rows, a);
                    for (j, row) in rows.iter_mut().enumerate() {
                        let kv = isa.mul(isa.splat(k[j]), v);
                        let new = isa.mul_add(isa.splat(b[j]), held, kv);
                        let new = isa.mul_add(isa.splat(w[j]), isa.load(row), new);
                        isa.store(new, row);
                        sum = isa.mul_add(isa.splat(r[j]), new, sum);
                    }
                }
            }
            store_part(isa, sum, out);
        }
    }
}
