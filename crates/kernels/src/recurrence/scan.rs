//! State space models: sums of outer products that decay, read by a third vector.
//!
//! ```text
//! state[n] = state[n] * exp(dt a) + b[n] * dt x        out = Σ c[n] state[n] + d x        n = 0 .. n_state
//! ```
//!
//! Mamba (Gu & Dao 2023, arXiv:2312.00752) has a step `dt` for each channel and a decay `a` for each channel and `n`;
//! Mamba 2 (Dao & Gu 2024, arXiv:2405.21060) has one of each for all channels of a head. Channels lie side by side
//! in vectors, `[pieces][16 channels][n_state][16]`, so that no sum goes across lanes.

use super::{At, Columns, Heads, Recurrence, StateLayer, advance, rows_of, store_part, walk};
use crate::Context;
use crate::attention::BatchView;
use crate::isa::{Isa, LANES};
use crate::vector::{exp, padded};

/// Channels of a piece.
const PIECE: usize = 4 * LANES;

/// What a state space model of channels is given; `dt` is positive, `a` negative.
#[derive(Clone, Copy)]
pub struct ChannelScan<'a> {
    /// Channels.
    pub channels: usize,
    /// Numbers of a channel's state.
    pub n_state: usize,
    /// `[n_tokens, channels]`.
    pub x: &'a [f32],
    /// `[n_tokens, channels]`.
    pub dt: &'a [f32],
    /// `[n_state, channels]`.
    pub a: &'a [f32],
    /// `[n_tokens, n_state]`.
    pub b: Columns<'a>,
    /// `[n_tokens, n_state]`.
    pub c: Columns<'a>,
    /// `[channels]`.
    pub d: &'a [f32],
}

impl ChannelScan<'_> {
    /// Numbers of a sequence's state.
    pub fn state_len(channels: usize, n_state: usize) -> usize {
        channels.next_multiple_of(LANES) * n_state
    }
}

/// Mamba's recurrence: `out` is `[n_tokens, channels]`.
///
/// # Panics
/// If shapes do not fit.
pub fn channel_scan(
    context: &Context,
    batch: BatchView<'_>,
    scan: ChannelScan<'_>,
    state: &mut StateLayer,
    out: &mut [f32],
) {
    let (m, channels, n) = (batch.positions.len(), scan.channels, scan.n_state);
    let lens = [scan.x.len(), scan.dt.len(), out.len()];
    assert_eq!(lens, [m * channels; 3], "a row for each token");
    assert_eq!([scan.b.width(), scan.c.width()], [n; 2], "n_state wide");
    assert_eq!(scan.a.len(), n * channels, "a decay for each number");
    assert_eq!(scan.d.len(), channels, "one for each channel");
    let len = ChannelScan::state_len(channels, n);
    assert_eq!(state.len, len, "a state of this shape");
    walk(context, batch, state, out, &scan);
}

impl Recurrence for ChannelScan<'_> {
    fn state_piece(&self) -> usize {
        PIECE * self.n_state
    }

    fn out_piece(&self) -> usize {
        PIECE
    }

    #[inline(always)]
    fn step<I: Isa>(&self, isa: I, at: At, state: &mut [f32], out: &mut [f32]) {
        let (b, c) = (self.b.row(at.token), self.c.row(at.token));
        for (i, out) in out.chunks_mut(LANES).enumerate() {
            let first = at.piece * PIECE + i * LANES;
            let len = out.len();
            let of_token = at.token * self.channels + first;
            let x = isa.load(&padded(&self.x[of_token..][..len]));
            let dt = isa.load(&padded(&self.dt[of_token..][..len]));
            let value = isa.mul(dt, x);
            let mut sum = isa.mul(isa.load(&padded(&self.d[first..][..len])), x);
            for (n, row) in rows_of(state, i, self.n_state).iter_mut().enumerate() {
                let a = padded(&self.a[n * self.channels + first..][..len]);
                let decay = exp(isa, isa.mul(dt, isa.load(&a)));
                sum = advance(isa, row, decay, (b[n], value, c[n]), sum);
            }
            store_part(isa, sum, out);
        }
    }
}

/// What a state space model of heads is given; `dt` is positive, `a` negative.
#[derive(Clone, Copy)]
pub struct HeadScan<'a> {
    /// Heads, whose keys are `n_state` and whose values are channels.
    pub heads: Heads,
    /// Groups of heads that share `b` and `c`.
    pub n_groups: usize,
    /// `[n_tokens, n_heads * value_dim]`.
    pub x: Columns<'a>,
    /// `[n_tokens, n_heads]`.
    pub dt: &'a [f32],
    /// `[n_heads]`.
    pub a: &'a [f32],
    /// `[n_tokens, n_groups * n_state]`.
    pub b: Columns<'a>,
    /// `[n_tokens, n_groups * n_state]`.
    pub c: Columns<'a>,
    /// `[n_heads]`.
    pub d: &'a [f32],
}

/// Mamba 2's recurrence: `out` is `[n_tokens, n_heads * value_dim]`.
///
/// # Panics
/// If shapes do not fit.
pub fn head_scan(
    context: &Context,
    batch: BatchView<'_>,
    scan: HeadScan<'_>,
    state: &mut StateLayer,
    out: &mut [f32],
) {
    let (m, heads) = (batch.positions.len(), scan.heads);
    let width = heads.n_heads * heads.value_dim;
    assert_eq!(scan.x.width(), width, "all heads side by side");
    assert_eq!(scan.dt.len(), m * heads.n_heads, "a step for each head");
    let lens = [scan.a.len(), scan.d.len()];
    assert_eq!(lens, [heads.n_heads; 2], "one for each head");
    let width = scan.n_groups * heads.key_dim;
    assert_eq!([scan.b.width(), scan.c.width()], [width; 2], "all groups");
    assert!(
        heads.n_heads.is_multiple_of(scan.n_groups),
        "groups of equal size"
    );
    heads.check(m, state, out);
    walk(context, batch, state, out, &scan);
}

impl Recurrence for HeadScan<'_> {
    fn state_piece(&self) -> usize {
        self.heads.piece_len()
    }

    fn out_piece(&self) -> usize {
        self.heads.value_dim
    }

    #[inline(always)]
    fn step<I: Isa>(&self, isa: I, at: At, state: &mut [f32], out: &mut [f32]) {
        let (head, n) = (at.piece, self.heads.key_dim);
        let group = head / (self.heads.n_heads / self.n_groups);
        let b = &self.b.row(at.token)[group * n..][..n];
        let c = &self.c.row(at.token)[group * n..][..n];
        let dt = self.dt[at.token * self.heads.n_heads + head];
        let decay = exp(isa, isa.splat(dt * self.a[head]));
        let x = &self.x.row(at.token)[head * self.heads.value_dim..];
        for (i, out) in out.chunks_mut(LANES).enumerate() {
            let x = isa.load(&padded(&x[i * LANES..][..out.len()]));
            let value = isa.mul(isa.splat(dt), x);
            let mut sum = isa.mul(isa.splat(self.d[head]), x);
            let rows = rows_of(state, i, n).iter_mut();
            for (row, (&b, &c)) in rows.zip(b.iter().zip(c)) {
                sum = advance(isa, row, decay, (b, value, c), sum);
            }
            store_part(isa, sum, out);
        }
    }
}
