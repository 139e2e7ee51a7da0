//! Attention over a paged cache of keys and values.
//!
//! The cache is cut into *KV blocks* of [`BLOCK_TOKENS`] positions. A block holds, per KV head, the keys
//! transposed (`[head_dim][BLOCK_TOKENS]`, so that a vector is 16 positions of one element and a score
//! needs no sum across lanes) and the values as they come (`[BLOCK_TOKENS][head_dim]`), both in f16.
//!
//! Blocks of a sequence are taken in order of position and folded into a running maximum and sum (online
//! softmax, Milakov & Gimelshein 2018, arXiv:1805.02867; the tiling of Dao et al. 2022, arXiv:2205.14135),
//! so no `[n_tokens, seq_len]` matrix exists. Tiles are cut at absolute positions, hence a query's
//! result does not depend on what it was batched with.

use std::ops::Range;

use crate::isa::{Isa, LANES, Op, dispatch};
use crate::matmul::lock;
use crate::pool::{Grid, Tile};
use crate::vector::{exp, padded, tanh};
use crate::{Context, Scratch};

/// Positions in a KV block.
pub const BLOCK_TOKENS: usize = 32;
/// Tokens of a prompt that share the conversion of a block.
const TOKENS_PER_TILE: usize = 16;
/// Queries (token and head) folded over the blocks together.
pub(crate) const MAX_QUERIES: usize = 32;

/// The shape of one attention layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttentionShape {
    /// Query heads.
    pub n_heads: usize,
    /// Key and value heads; query head `h` reads KV head `h / (n_heads / n_kv_heads)`.
    pub n_kv_heads: usize,
    /// Elements of a head.
    pub head_dim: usize,
    /// What scores are multiplied with.
    pub scale: f32,
    /// How many positions a token sees, itself included; all if `None`.
    pub window: Option<usize>,
    /// Bound on scores: `cap * tanh(score / cap)` instead of `score` (Gemma 2, arXiv:2408.00118).
    pub softcap: Option<f32>,
}

impl AttentionShape {
    /// Numbers of f16 that one layer keeps for a KV block, for keys and again for values.
    pub fn block_len(&self) -> usize {
        self.n_kv_heads * self.head_block_len()
    }

    /// The same for one head, whose elements are padded to whole vectors.
    fn head_block_len(&self) -> usize {
        self.stride() * BLOCK_TOKENS
    }

    /// Elements from one position's values to the next.
    fn stride(&self) -> usize {
        self.head_dim.next_multiple_of(LANES)
    }
}

/// Where the tokens of a batch stand.
#[derive(Clone, Copy)]
pub struct BatchView<'a> {
    /// Position of each token in its sequence.
    pub positions: &'a [u32],
    /// Which of `block_tables` each token belongs to.
    pub sequences: &'a [u32],
    /// For each sequence, the KV blocks that hold its positions, in order.
    pub block_tables: &'a [&'a [u32]],
}

impl BatchView<'_> {
    fn block(&self, sequence: u32, block: usize) -> usize {
        self.block_tables[sequence as usize][block] as usize
    }
}

/// Stores keys and values `[n_tokens, n_kv_heads, head_dim]` of a batch at their tokens' places.
///
/// # Panics
/// If a position has no block or a shape does not fit: the engine allocates before it schedules.
pub fn store_kv(
    context: &Context,
    shape: &AttentionShape,
    batch: BatchView<'_>,
    (k, v): (&[f32], &[f32]),
    (keys, values): (&mut [u16], &mut [u16]),
) {
    dispatch(
        context.level,
        StoreKv {
            shape,
            batch,
            k,
            v,
            keys,
            values,
        },
    );
}

struct StoreKv<'a> {
    shape: &'a AttentionShape,
    batch: BatchView<'a>,
    k: &'a [f32],
    v: &'a [f32],
    keys: &'a mut [u16],
    values: &'a mut [u16],
}

impl Op for StoreKv<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let (dim, stride) = (self.shape.head_dim, self.shape.stride());
        let width = self.shape.n_kv_heads * dim;
        let tokens = self.k.chunks_exact(width).zip(self.v.chunks_exact(width));
        for (i, (k, v)) in tokens.enumerate() {
            let position = self.batch.positions[i] as usize;
            let block = self
                .batch
                .block(self.batch.sequences[i], position / BLOCK_TOKENS);
            let at = position % BLOCK_TOKENS;
            let start = block * self.shape.block_len();
            for head in 0..self.shape.n_kv_heads {
                let first = start + head * stride * BLOCK_TOKENS;
                let keys = &mut self.keys[first..][..dim * BLOCK_TOKENS];
                let values = &mut self.values[first + at * stride..][..dim];
                let (k, v) = (&k[head * dim..][..dim], &v[head * dim..][..dim]);
                for d in (0..dim).step_by(LANES) {
                    let len = LANES.min(dim - d);
                    for (i, key) in halves(isa, &k[d..d + len])[..len].iter().enumerate() {
                        keys[(d + i) * BLOCK_TOKENS + at] = *key;
                    }
                    values[d..][..len].copy_from_slice(&halves(isa, &v[d..d + len])[..len]);
                }
            }
        }
    }
}

#[inline(always)]
fn halves<I: Isa>(isa: I, x: &[f32]) -> [u16; LANES] {
    let mut out = [0; LANES];
    isa.store_f16(isa.load(&padded(x)), &mut out);
    out
}

/// Attends each token of a batch to its own sequence's positions up to its own, and writes `out`.
///
/// `q` and `out` are `[n_tokens, n_heads, head_dim]`. The batch's keys and values must be stored already.
/// Work is split by (some tokens, KV head): query heads of one group share each key they load.
///
/// # Panics
/// If a position has no block or a shape does not fit.
pub fn attention(
    context: &Context,
    shape: &AttentionShape,
    batch: BatchView<'_>,
    q: &[f32],
    (keys, values): (&[u16], &[u16]),
    out: &mut [f32],
) {
    let width = shape.n_heads * shape.head_dim;
    assert_eq!(
        q.len(),
        batch.positions.len() * width,
        "q is [n_tokens, n_heads, head_dim]"
    );
    assert_eq!(out.len(), q.len(), "out has the shape of q");
    assert!(
        shape.head_dim.is_multiple_of(2),
        "head_dim is even, checked at load"
    );
    let group = shape.n_heads / shape.n_kv_heads * shape.head_dim;
    context.pool.tiles(
        &mut [Grid::new(out, width, TOKENS_PER_TILE, group)],
        |_, tile, thread| {
            let mut scratch = lock(&context.scratch[thread]);
            dispatch(
                context.level,
                AttentionTile {
                    shape,
                    batch,
                    q,
                    keys,
                    values,
                    tile,
                    scratch: &mut scratch,
                },
            );
        },
    );
}

struct AttentionTile<'a> {
    shape: &'a AttentionShape,
    batch: BatchView<'a>,
    q: &'a [f32],
    keys: &'a [u16],
    values: &'a [u16],
    tile: Tile<'a>,
    scratch: &'a mut Scratch,
}

/// A query on its way through the blocks.
#[derive(Clone, Copy)]
struct Query {
    row: usize,
    /// First column of its head in the tile.
    col: usize,
    /// Its weighted values so far, in the scratch room.
    acc: usize,
    position: usize,
    max: f32,
    sum: f32,
}

impl Op for AttentionTile<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(mut self, isa: I) {
        let heads = self.tile.cols.len() / self.shape.head_dim;
        let idle = Query {
            row: 0,
            col: 0,
            acc: 0,
            position: 0,
            max: f32::NEG_INFINITY,
            sum: 0.0,
        };
        let mut queries = [idle; MAX_QUERIES];
        let mut count = 0;
        let mut sequence = None;
        for row in self.tile.rows.clone() {
            if sequence != Some(self.batch.sequences[row]) {
                self.fold(isa, sequence, &mut queries[..count]);
                count = 0;
                sequence = Some(self.batch.sequences[row]);
            }
            for head in 0..heads {
                if count == MAX_QUERIES {
                    self.fold(isa, sequence, &mut queries);
                    count = 0;
                }
                let position = self.batch.positions[row] as usize;
                let (col, acc) = (head * self.shape.head_dim, count * self.shape.stride());
                queries[count] = Query {
                    row,
                    col,
                    acc,
                    position,
                    ..idle
                };
                count += 1;
            }
        }
        self.fold(isa, sequence, &mut queries[..count]);
    }
}

impl AttentionTile<'_> {
    /// Takes queries of one sequence through all blocks that any of them sees.
    #[inline(always)]
    fn fold<I: Isa>(&mut self, isa: I, sequence: Option<u32>, queries: &mut [Query]) {
        let Some(sequence) = sequence else { return };
        let stride = self.shape.stride();
        self.scratch.acc[..queries.len() * stride].fill(0.0);
        let seen = |query: &Query| {
            self.shape
                .window
                .map_or(0, |window| (query.position + 1).saturating_sub(window))
        };
        let first = queries.iter().map(seen).min().unwrap_or(0) / BLOCK_TOKENS;
        let last = queries
            .iter()
            .map(|query| query.position)
            .max()
            .unwrap_or(0)
            / BLOCK_TOKENS;
        let head = self.tile.cols.start / self.tile.cols.len();
        for index in first..=last {
            let block = self.batch.block(sequence, index);
            let start = block * self.shape.block_len() + head * stride * BLOCK_TOKENS;
            widen(
                isa,
                &self.keys[start..][..stride * BLOCK_TOKENS],
                &mut self.scratch.keys,
            );
            widen(
                isa,
                &self.values[start..][..stride * BLOCK_TOKENS],
                &mut self.scratch.values,
            );
            for query in queries.iter_mut() {
                let from = seen(query).saturating_sub(index * BLOCK_TOKENS);
                let to = (query.position + 1)
                    .saturating_sub(index * BLOCK_TOKENS)
                    .min(BLOCK_TOKENS);
                if from < to {
                    self.step(isa, query, from..to);
                }
            }
        }
        for query in queries.iter() {
            let inverse = 1.0 / query.sum;
            let out = &mut self.tile.row(query.row)[query.col..query.col + self.shape.head_dim];
            for (out, acc) in out.iter_mut().zip(&self.scratch.acc[query.acc..]) {
                *out = acc * inverse;
            }
        }
    }

    /// Folds positions `valid` of the block in `scratch` into one query.
    #[inline(always)]
    fn step<I: Isa>(&mut self, isa: I, query: &mut Query, valid: Range<usize>) {
        let (dim, stride) = (self.shape.head_dim, self.shape.stride());
        let width = self.shape.n_heads * dim;
        let q = &self.q[query.row * width + self.tile.cols.start + query.col..][..dim];
        let mut scores = scores(isa, q, &self.scratch.keys, self.shape);
        scores[..valid.start].fill(f32::NEG_INFINITY);
        scores[valid.end..].fill(f32::NEG_INFINITY);
        let [low, high]: &[[f32; LANES]; 2] =
            scores.as_chunks().0.first_chunk().expect("two vectors");
        let (low, high) = (isa.load(low), isa.load(high));
        let max = isa.max_lane(isa.max(low, high)).max(query.max);
        let splat = isa.splat(max);
        let (low, high) = (
            exp(isa, isa.sub(low, splat)),
            exp(isa, isa.sub(high, splat)),
        );
        let mut decay = [0.0; LANES];
        isa.store(exp(isa, isa.splat(query.max - max)), &mut decay);
        query.sum = query.sum.mul_add(decay[0], isa.sum(isa.add(low, high)));
        query.max = max;
        let mut probs = [[0.0; LANES]; 2];
        isa.store(low, &mut probs[0]);
        isa.store(high, &mut probs[1]);
        let probs = &probs.as_flattened()[valid.clone()];
        let values = &self.scratch.values[valid.start * stride..valid.end * stride];
        let accs = &mut self.scratch.acc[query.acc..query.acc + stride];
        for (d, acc) in accs.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            let mut sum = isa.mul(isa.load(acc), isa.splat(decay[0]));
            for (p, value) in probs.iter().zip(values.chunks_exact(stride)) {
                let value = value[d * LANES..][..LANES].first_chunk().expect("16 lanes");
                sum = isa.mul_add(isa.splat(*p), isa.load(value), sum);
            }
            isa.store(sum, acc);
        }
    }
}

/// `scale * q·k`, capped, for the positions of a block: two sums per position, over even and odd elements.
#[inline(always)]
fn scores<I: Isa>(isa: I, q: &[f32], keys: &[f32], shape: &AttentionShape) -> [f32; BLOCK_TOKENS] {
    let mut acc = [[isa.splat(0.0); 2]; 2];
    let pairs = q.as_chunks::<2>().0;
    let rows = keys.as_chunks::<BLOCK_TOKENS>().0.as_chunks::<2>().0;
    for (q, rows) in pairs.iter().zip(rows) {
        for parity in 0..2 {
            let halves: &[[f32; LANES]; 2] = rows[parity]
                .as_chunks()
                .0
                .first_chunk()
                .expect("two vectors");
            for half in 0..2 {
                acc[parity][half] = isa.mul_add(
                    isa.splat(q[parity]),
                    isa.load(&halves[half]),
                    acc[parity][half],
                );
            }
        }
    }
    let mut out = [[0.0; LANES]; 2];
    for half in 0..2 {
        let mut score = isa.mul(isa.add(acc[0][half], acc[1][half]), isa.splat(shape.scale));
        if let Some(cap) = shape.softcap {
            let part = isa.div(score, isa.splat(cap));
            score = isa.mul(tanh(isa, part), isa.splat(cap));
        }
        isa.store(score, &mut out[half]);
    }
    let mut flat = [0.0; BLOCK_TOKENS];
    flat.copy_from_slice(out.as_flattened());
    flat
}

#[inline(always)]
fn widen<I: Isa>(isa: I, from: &[u16], to: &mut [f32]) {
    for (from, to) in from
        .as_chunks::<LANES>()
        .0
        .iter()
        .zip(to.as_chunks_mut::<LANES>().0)
    {
        isa.store(isa.load_f16(from), to);
    }
}
