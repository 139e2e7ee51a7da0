//! Recurrent operations: what a token gives depends on a state that the tokens before it left behind.
//!
//! A state has one size, however long the sequence. `conv.rs` keeps the last few inputs of a convolution, `scan.rs`
//! and `delta.rs` sums of outer products. This file walks through a batch: strictly token by token in each
//! sequence, so that no cut of a prompt, no neighbour and no number of threads changes a bit. Threads share out
//! *pieces*, which are columns of both state and output that need no others.

mod conv;
mod delta;
mod scan;

use std::ops::Range;

use crate::Context;
use crate::attention::BatchView;
use crate::isa::{Isa, LANES, Op, dispatch};
use crate::pool::{Grid, Tile};

pub use conv::{ConvWeights, causal_conv};
pub use delta::{GatedDelta, Wkv, WkvRule, gated_delta, wkv};
pub use scan::{ChannelScan, HeadScan, channel_scan, head_scan};

/// Numbers of state and output, times tokens, that are worth a second thread.
const WORTH_SHARING: usize = 16_384;

/// One state of a layer for each *slot*; a sequence has a slot of its own.
pub struct StateLayer {
    /// Numbers of one slot.
    len: usize,
    /// `[num_slots, len]`.
    data: Vec<f32>,
}

impl StateLayer {
    /// `num_slots` states of `len` numbers; memory is asked for here and touched as slots are first used.
    pub fn new(len: usize, num_slots: usize) -> Self {
        let data = vec![0.0; num_slots * len];
        Self { len, data }
    }

    /// Numbers of one slot.
    pub fn slot_len(&self) -> usize {
        self.len
    }

    /// The numbers of a slot.
    ///
    /// # Panics
    /// If there is no such slot.
    pub fn slot(&self, slot: usize) -> &[f32] {
        &self.data[slot * self.len..(slot + 1) * self.len]
    }

    /// The same, to be written.
    ///
    /// # Panics
    /// If there is no such slot.
    pub fn slot_mut(&mut self, slot: usize) -> &mut [f32] {
        &mut self.data[slot * self.len..(slot + 1) * self.len]
    }

    /// Slot `to` becomes what slot `from` is.
    ///
    /// # Panics
    /// If there are no such slots.
    pub fn copy(&mut self, from: usize, to: usize) {
        let from = from * self.len..(from + 1) * self.len;
        self.data.copy_within(from, to * self.len);
    }
}

/// Some columns of a matrix that has a row for each token.
#[derive(Clone, Copy)]
pub struct Columns<'a> {
    data: &'a [f32],
    row_len: usize,
    start: usize,
    width: usize,
}

impl<'a> Columns<'a> {
    /// Columns `cols` of `data` `[n_tokens, row_len]`.
    ///
    /// # Panics
    /// If there are no such columns, or `data` is no whole rows.
    pub fn new(data: &'a [f32], row_len: usize, cols: Range<usize>) -> Self {
        assert!(cols.end <= row_len, "columns of a row");
        assert_eq!(data.len() % row_len, 0, "data is whole rows");
        Self {
            data,
            row_len,
            start: cols.start,
            width: cols.len(),
        }
    }

    fn width(&self) -> usize {
        self.width
    }

    #[inline(always)]
    fn row(&self, token: usize) -> &'a [f32] {
        &self.data[token * self.row_len + self.start..][..self.width]
    }
}

/// Heads that each keep a matrix `[key_dim, value_dim]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
    /// How many.
    pub n_heads: usize,
    /// Rows of the matrix.
    pub key_dim: usize,
    /// Columns of the matrix.
    pub value_dim: usize,
}

impl Heads {
    /// Numbers of a sequence's state.
    pub fn state_len(&self) -> usize {
        self.n_heads * self.piece_len()
    }

    /// Numbers of a head's state: columns are padded to whole vectors.
    fn piece_len(&self) -> usize {
        self.key_dim * self.value_dim.next_multiple_of(LANES)
    }

    fn check(&self, num_tokens: usize, state: &StateLayer, out: &[f32]) {
        assert_eq!(state.len, self.state_len(), "a state of this shape");
        let len = num_tokens * self.n_heads * self.value_dim;
        assert_eq!(out.len(), len, "a row for each token");
    }
}

/// The rows of vector `i` of a piece's columns.
#[inline(always)]
fn rows_of(state: &mut [f32], i: usize, num_rows: usize) -> &mut [[f32; LANES]] {
    let rows = &mut state[i * num_rows * LANES..][..num_rows * LANES];
    rows.as_chunks_mut().0
}

/// `row = row * decay + key * value`, and `sum + query * row`.
#[inline(always)]
fn advance<I: Isa>(
    isa: I,
    row: &mut [f32; LANES],
    decay: I::F32,
    (key, value, query): (f32, I::F32, f32),
    sum: I::F32,
) -> I::F32 {
    let new = isa.mul_add(decay, isa.load(row), isa.mul(isa.splat(key), value));
    isa.store(new, row);
    isa.mul_add(isa.splat(query), new, sum)
}

/// As many lanes as `out` has room for.
#[inline(always)]
fn store_part<I: Isa>(isa: I, x: I::F32, out: &mut [f32]) {
    if let Some(whole) = out.first_chunk_mut() {
        return isa.store(x, whole);
    }
    let mut lanes = [0.0; LANES];
    isa.store(x, &mut lanes);
    out.copy_from_slice(&lanes[..out.len()]);
}

/// What one piece does with one token.
trait Recurrence: Sync {
    /// Numbers of a piece's state (of the last piece at most).
    fn state_piece(&self) -> usize;
    /// Numbers of a piece's output (of the last piece at most).
    fn out_piece(&self) -> usize;
    /// Takes the state from one token to the next and writes what the token gives.
    fn step<I: Isa>(&self, isa: I, at: At, state: &mut [f32], out: &mut [f32]);
}

/// Where in a batch and in the state a step is.
#[derive(Clone, Copy)]
struct At {
    token: usize,
    piece: usize,
}

/// All tokens in order through all pieces: `out` is `[n_tokens, out_len]`.
///
/// A token at position 0 starts from a state of zeros, so nobody need clear a slot.
fn walk<R: Recurrence>(
    context: &Context,
    batch: BatchView<'_>,
    state: &mut StateLayer,
    out: &mut [f32],
    recurrence: &R,
) {
    let num_tokens = batch.positions.len();
    assert_eq!(
        num_tokens,
        batch.sequences.len(),
        "each token has a sequence"
    );
    if num_tokens == 0 {
        return;
    }
    assert_eq!(out.len() % num_tokens, 0, "out is a row for each token");
    let (num_slots, slot_len) = (state.data.len() / state.len, state.len);
    let out_len = out.len() / num_tokens;
    let grids = [
        Grid::new(
            &mut state.data,
            slot_len,
            num_slots,
            recurrence.state_piece(),
        ),
        Grid::new(out, out_len, num_tokens, recurrence.out_piece()),
    ];
    let run = |[state, out]: [Tile<'_>; 2], _| {
        let walk = Walk {
            batch,
            state,
            out,
            recurrence,
        };
        dispatch(context.level, walk);
    };
    let is_small = num_tokens * (slot_len + out_len) < WORTH_SHARING;
    context.pool.pairs(grids, is_small, run);
}

struct Walk<'a, R> {
    batch: BatchView<'a>,
    state: Tile<'a>,
    out: Tile<'a>,
    recurrence: &'a R,
}

impl<R: Recurrence> Op for Walk<'_, R> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(mut self, isa: I) {
        let piece = self.out.cols.start / self.recurrence.out_piece();
        for token in 0..self.batch.positions.len() {
            let sequence = self.batch.sequences[token] as usize;
            let state = self.state.row(self.batch.states[sequence] as usize);
            if self.batch.positions[token] == 0 {
                state.fill(0.0);
            }
            let out = self.out.row(token);
            self.recurrence.step(isa, At { token, piece }, state, out);
        }
    }
}
