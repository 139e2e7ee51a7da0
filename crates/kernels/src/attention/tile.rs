//! One tile of positions for one block of queries, and how tiles come together.
//!
//! The definition that all paths share. Positions are cut, at absolute places, into *tiles* of [`TILE`] and
//! *splits* of [`SPLIT`]. A tile alone gives, for a query that sees some of it,
//!
//! ```text
//! max = max score,  sum = Σ exp2(score - max),  out = Σ exp2(score - max) * value
//! ```
//!
//! with scores in units of `ln 2`. Results `(max, sum, out)` are *folded* in order of position: tiles into their
//! split, splits into the whole (Milakov & Gimelshein 2018, arXiv:1805.02867):
//!
//! ```text
//! m = max(a.max, b.max)   sum = b.sum * exp2(b.max - m) + a.sum * exp2(a.max - m)   out likewise
//! ```
//!
//! Nothing of this depends on which thread took a split or which queries went with it, so neither do the bits.

use std::ops::Range;

use super::cache::stride;
use super::queries::{Queries, Query, block_len, span};
use super::{AttentionShape, BLOCK_TOKENS, BatchView, HeadTerms};
use crate::Lines;
use crate::isa::{Isa, LANES};
use crate::vector::{exp2, tanh};

/// Positions of a tile.
pub(super) const TILE: usize = 256;
pub(super) const TILE_BLOCKS: usize = TILE / BLOCK_TOKENS;
/// Positions of a split: what threads share out.
pub(super) const SPLIT: usize = 512;
/// Most queries of a block.
pub(super) const MAX_BLOCK: usize = 6;

/// What all tiles of one operation have in common.
#[derive(Clone, Copy)]
pub(super) struct Job<'a, V> {
    pub(super) shape: &'a AttentionShape,
    pub(super) terms: HeadTerms<'a>,
    pub(super) batch: BatchView<'a>,
    pub(super) q: &'a [f32],
    pub(super) view: V,
}

/// Where a tile's blocks are: index of (block, head) in the layer.
pub(super) struct Places {
    pub(super) here: [usize; TILE_BLOCKS],
    /// Those of the next tile, or the same again.
    pub(super) next: [usize; TILE_BLOCKS],
}

/// How a tile's result is folded into what was before it.
#[derive(Clone, Default)]
pub(super) struct Fold {
    /// Positions of the tile that the query sees.
    pub(super) valid: Range<usize>,
    pub(super) decay: f32,
    pub(super) weight: f32,
}

/// Keys and values of one type.
pub(super) trait View: Copy + Sync {
    /// Puts a query into place `j` of the block of `len` that begins at `start`.
    fn pack<I: Isa>(
        isa: I,
        shape: &AttentionShape,
        q: &[f32],
        at: (usize, usize, usize),
        queries: &mut Queries,
    );

    /// Scores of a KV block for `N` queries from `start` on.
    fn scores<I: Isa, const N: usize>(
        self,
        isa: I,
        shape: &AttentionShape,
        queries: &Queries,
        start: usize,
        block: (&Places, usize),
        scores: &mut [[f32; TILE]; N],
    );

    /// Scores of query `n` in `span`, of which it sees `valid`, become weights; returns max and sum.
    fn softmax<I: Isa, const N: usize>(
        self,
        isa: I,
        work: &mut Work,
        n: usize,
        places: &Places,
        span: Range<usize>,
        valid: Range<usize>,
    ) -> (f32, f32);

    /// Folds the weighted values of KV blocks into the states of `N` queries.
    fn values<I: Isa, const N: usize>(
        self,
        isa: I,
        shape: &AttentionShape,
        blocks: (&Places, Range<usize>),
        work: &mut Work,
        folds: &[Fold; N],
        state: &mut [f32],
    );

    /// Turns a sum of weighted values, whole vectors, into what the values were; returns what to multiply with.
    #[inline(always)]
    fn finish<I: Isa>(_: I, _: &AttentionShape, _: &mut [f32]) -> f32 {
        1.0
    }
}

/// Room for a tile.
pub(super) struct Work {
    pub(super) scores: Lines<[f32; TILE]>,
    /// int8: `P`, and what one unit of a block's weighs.
    pub(super) probs: Lines<[u8; TILE]>,
    pub(super) tops: [[f32; TILE_BLOCKS]; MAX_BLOCK],
    /// f16: weighted values.
    pub(super) out: Lines<f32>,
}

impl Work {
    pub(super) fn new(max_head_dim: usize) -> Self {
        Self {
            scores: Lines::new([0.0; TILE], MAX_BLOCK),
            probs: Lines::new([0; TILE], MAX_BLOCK),
            tops: [[0.0; TILE_BLOCKS]; MAX_BLOCK],
            out: Lines::new(0.0, MAX_BLOCK * max_head_dim.next_multiple_of(LANES)),
        }
    }
}

/// Numbers of a query's state: `out`, then `max`, `sum` and padding.
pub(super) fn query_len(shape: &AttentionShape) -> usize {
    stride(shape) + LANES
}

/// The state of queries that have seen nothing.
#[inline(always)]
pub(super) fn clear(shape: &AttentionShape, state: &mut [f32]) {
    for state in state.chunks_exact_mut(query_len(shape)) {
        state.fill(0.0);
        state[stride(shape)] = f32::NEG_INFINITY;
    }
}

/// What scores are multiplied with before the cap, or, without one, to come out in units of `ln 2`.
pub(super) fn factor(shape: &AttentionShape) -> f32 {
    match shape.softcap {
        Some(cap) => shape.scale / cap,
        None => shape.scale * std::f32::consts::LOG2_E,
    }
}

/// Scores in units of `ln 2`, from those that [`factor`] made.
#[inline(always)]
pub(super) fn apply_cap<I: Isa>(isa: I, shape: &AttentionShape, score: I::F32) -> I::F32 {
    match shape.softcap {
        Some(cap) => {
            let cap = isa.splat(cap * std::f32::consts::LOG2_E);
            isa.mul(tanh(isa, score), cap)
        }
        None => score,
    }
}

/// The largest number.
#[inline(always)]
pub(super) fn peak<I: Isa>(isa: I, x: &[[f32; LANES]]) -> f32 {
    let mut max = isa.splat(f32::NEG_INFINITY);
    for x in x {
        max = isa.max(isa.load(x), max);
    }
    isa.max_lane(max)
}

impl<V: View> Job<'_, V> {
    /// Folds the tiles of a split into the states of the queries, which are clear.
    #[inline(always)]
    pub(super) fn split<I: Isa>(
        &self,
        isa: I,
        split: usize,
        queries: &Queries,
        work: &mut Work,
        state: &mut [f32],
    ) {
        let len = query_len(self.shape);
        for tile in split * (SPLIT / TILE)..(split + 1) * (SPLIT / TILE) {
            let mut start = 0;
            while start < queries.count {
                let n = block_len::<I>(queries.count - start);
                let state = &mut state[start * len..][..n * len];
                match n {
                    1 => self.tile::<I, 1>(isa, tile, queries, start, work, state),
                    2 => self.tile::<I, 2>(isa, tile, queries, start, work, state),
                    3 if I::WIDE_TILES => self.tile::<I, 3>(isa, tile, queries, start, work, state),
                    4 if I::WIDE_TILES => self.tile::<I, 4>(isa, tile, queries, start, work, state),
                    MAX_BLOCK if I::WIDE_TILES => {
                        self.tile::<I, MAX_BLOCK>(isa, tile, queries, start, work, state);
                    }
                    _ => unreachable!("`block_len` gives no other sizes"),
                }
                start += n;
            }
        }
    }

    /// Folds a tile into the states of queries `start .. start + N`.
    #[inline(always)]
    fn tile<I: Isa, const N: usize>(
        &self,
        isa: I,
        tile: usize,
        queries: &Queries,
        start: usize,
        work: &mut Work,
        state: &mut [f32],
    ) {
        let list: &[Query; N] = queries.list[start..].first_chunk().expect("N queries");
        let first = tile * TILE;
        let seen = span(list);
        let (from, to) = (seen.start.max(first), seen.end.min(first + TILE));
        if from >= to {
            return;
        }
        let blocks = (from - first) / BLOCK_TOKENS..(to - first).div_ceil(BLOCK_TOKENS);
        let places = self.places(queries, first / BLOCK_TOKENS, blocks.clone());
        for block in blocks.clone() {
            let scores = work.scores.first_chunk_mut::<N>().expect("N rows");
            let at = (&places, block);
            self.view
                .scores::<I, N>(isa, self.shape, queries, start, at, scores);
        }
        let span = blocks.start * BLOCK_TOKENS..blocks.end * BLOCK_TOKENS;
        let mut folds = [const {
            Fold {
                valid: 0..0,
                decay: 1.0,
                weight: 0.0,
            }
        }; N];
        for n in 0..N {
            let end = list[n].to.saturating_sub(first).min(TILE);
            let valid = list[n].from.saturating_sub(first).min(end)..end;
            if valid.is_empty() {
                continue;
            }
            if let Some(slope) = self.slope(queries.kv_head, list[n].head) {
                let row = &mut work.scores[n][span.clone()];
                let distance = (first + span.start) as f32 - (list[n].to - 1) as f32;
                add_slope(isa, slope, distance, row);
            }
            let (max, sum) =
                self.view
                    .softmax::<I, N>(isa, work, n, &places, span.clone(), valid.clone());
            let numbers = &mut state[n * query_len(self.shape) + stride(self.shape)..];
            let (decay, weight) = fold_scalars(isa, numbers, (max, sum));
            folds[n] = Fold {
                valid,
                decay,
                weight,
            };
        }
        self.view
            .values::<I, N>(isa, self.shape, (&places, blocks), work, &folds, state);
    }

    /// The slope of a head of a group, in units of `ln 2`.
    fn slope(&self, kv_head: usize, head: usize) -> Option<f32> {
        let group = self.shape.n_heads / self.shape.n_kv_heads;
        let slope = self.terms.slopes.get(kv_head * group + head)?;
        Some(slope * std::f32::consts::LOG2_E)
    }

    /// The sink of a head, in units of `ln 2`.
    pub(super) fn sink(&self, head: usize) -> Option<f32> {
        Some(self.terms.sinks.get(head)? * std::f32::consts::LOG2_E)
    }

    #[inline(always)]
    fn places(&self, queries: &Queries, first: usize, blocks: Range<usize>) -> Places {
        let heads = self.shape.n_kv_heads;
        let table = self.batch.block_tables[queries.sequence as usize];
        let mut places = Places {
            here: [0; TILE_BLOCKS],
            next: [0; TILE_BLOCKS],
        };
        for block in blocks {
            let here = table[first + block] as usize;
            let next = table
                .get(first + block + TILE_BLOCKS)
                .map_or(here, |&next| next as usize);
            places.here[block] = here * heads + queries.kv_head;
            places.next[block] = next * heads + queries.kv_head;
        }
        places
    }
}

/// Adds `slope * distance` to scores, where `distance` is that of the first and grows by 1.
#[inline(always)]
fn add_slope<I: Isa>(isa: I, slope: f32, distance: f32, scores: &mut [f32]) {
    let mut distances = [0.0; LANES];
    for (i, lane) in distances.iter_mut().enumerate() {
        *lane = distance + i as f32;
    }
    let mut distances = isa.load(&distances);
    for scores in scores.as_chunks_mut::<LANES>().0 {
        let sum = isa.mul_add(distances, isa.splat(slope), isa.load(scores));
        isa.store(sum, scores);
        distances = isa.add(distances, isa.splat(LANES as f32));
    }
}

/// Folds `(max, sum)` into `numbers`; returns what to multiply the old and the new `out` with.
#[inline(always)]
pub(super) fn fold_scalars<I: Isa>(
    isa: I,
    numbers: &mut [f32],
    (max, sum): (f32, f32),
) -> (f32, f32) {
    let top = if max > numbers[0] { max } else { numbers[0] };
    let mut lanes = [0.0; LANES];
    (lanes[0], lanes[1]) = (numbers[0] - top, max - top);
    let mut factors = [0.0; LANES];
    isa.store(exp2(isa, isa.load(&lanes)), &mut factors);
    numbers[0] = top;
    numbers[1] = sum.mul_add(factors[1], numbers[1] * factors[0]);
    (factors[0], factors[1])
}

/// Folds the states of a split into those of all splits before it.
#[inline(always)]
pub(super) fn fold_split<I: Isa>(isa: I, shape: &AttentionShape, state: &mut [f32], split: &[f32]) {
    let (len, stride) = (query_len(shape), stride(shape));
    for (state, split) in state.chunks_exact_mut(len).zip(split.chunks_exact(len)) {
        let (out, numbers) = state.split_at_mut(stride);
        if split[stride] == f32::NEG_INFINITY {
            continue;
        }
        let (decay, weight) = fold_scalars(isa, numbers, (split[stride], split[stride + 1]));
        let (decay, weight) = (isa.splat(decay), isa.splat(weight));
        let split = split[..stride].as_chunks::<LANES>().0;
        for (out, split) in out.as_chunks_mut::<LANES>().0.iter_mut().zip(split) {
            let old = isa.mul(isa.load(out), decay);
            isa.store(isa.mul_add(isa.load(split), weight, old), out);
        }
    }
}
