//! Queries of one run of tokens, packed as the loops over keys want them.

use std::ops::Range;

use super::cache::stride;
use super::tile::{Job, MAX_BLOCK, View};
use crate::Lines;
use crate::isa::{Isa, LANES};

/// Most queries (token and head) that go over the keys together.
pub(super) const MAX_QUERIES: usize = 96;

/// A query's place.
#[derive(Clone, Copy, Default)]
pub(super) struct Query {
    /// Row of the batch.
    pub(super) row: usize,
    /// Head in its group.
    pub(super) head: usize,
    /// First position it sees, and the one after the last.
    pub(super) from: usize,
    pub(super) to: usize,
}

/// Tokens of one sequence and query heads of one KV head.
#[derive(Clone)]
pub(super) struct Run {
    pub(super) rows: Range<usize>,
    pub(super) kv_head: usize,
    /// Heads of the group.
    pub(super) heads: Range<usize>,
}

/// The queries of a run: token by token, head by head, in blocks of up to [`MAX_BLOCK`].
pub(super) struct Queries {
    pub(super) list: [Query; MAX_QUERIES],
    pub(super) count: usize,
    pub(super) sequence: u32,
    pub(super) kv_head: usize,
    /// f16 and int4: each query as it is. int8 and int4: at the end, room for a rotated head.
    pub(super) floats: Lines<f32>,
    /// int8: each block as `[dim / 4][queries][4]`.
    pub(super) bytes: Lines<[u8; 4]>,
    pub(super) factors: [f32; MAX_QUERIES],
    pub(super) offsets: [i32; MAX_QUERIES],
}

impl Queries {
    pub(super) fn new(max_head_dim: usize) -> Self {
        let stride = max_head_dim.next_multiple_of(LANES);
        Self {
            list: [Query::default(); MAX_QUERIES],
            count: 0,
            sequence: 0,
            kv_head: 0,
            floats: Lines::new(0.0, (MAX_QUERIES + 1) * stride),
            bytes: Lines::new([0; 4], MAX_QUERIES * stride / 4),
            factors: [0.0; MAX_QUERIES],
            offsets: [0; MAX_QUERIES],
        }
    }

    /// Takes the queries of `run`, whose tokens are of one sequence.
    #[inline(always)]
    pub(super) fn pack<I: Isa, V: View>(&mut self, isa: I, job: &Job<'_, V>, run: &Run) {
        let (shape, batch) = (job.shape, job.batch);
        let (dim, group) = (shape.head_dim, shape.n_heads / shape.n_kv_heads);
        self.count = run.rows.len() * run.heads.len();
        assert!(self.count <= MAX_QUERIES, "a run fits the room");
        self.sequence = batch.sequences[run.rows.start];
        self.kv_head = run.kv_head;
        // Rows lie far apart, where another core has written them: ask for all of them first.
        for row in run.rows.clone() {
            let first = (row * shape.n_heads + run.kv_head * group + run.heads.start) * dim;
            for at in (0..run.heads.len() * dim).step_by(LANES) {
                isa.prefetch(job.q, first + at);
            }
        }
        let mut start = 0;
        while start < self.count {
            let len = block_len::<I>(self.count - start);
            for j in 0..len {
                let row = run.rows.start + (start + j) / run.heads.len();
                let head = run.heads.start + (start + j) % run.heads.len();
                let to = batch.positions[row] as usize + 1;
                let from = shape.window.map_or(0, |window| to.saturating_sub(window));
                self.list[start + j] = Query {
                    row,
                    head,
                    from,
                    to,
                };
                let first = (row * shape.n_heads + run.kv_head * group + head) * dim;
                V::pack(isa, shape, &job.q[first..][..dim], (start, len, j), self);
            }
            start += len;
        }
        debug_assert!(self.count * stride(shape) <= self.floats.len());
    }

    /// Positions that any of the queries sees.
    pub(super) fn span(&self) -> Range<usize> {
        span(&self.list[..self.count])
    }
}

/// Positions that any of `queries` sees.
pub(super) fn span(queries: &[Query]) -> Range<usize> {
    let (mut from, mut to) = (usize::MAX, 0);
    for query in queries {
        from = from.min(query.from);
        to = to.max(query.to);
    }
    from.min(to)..to
}

/// How many of `left` queries make the next block: sizes that the registers hold, few small rests.
#[inline(always)]
pub(super) fn block_len<I: Isa>(left: usize) -> usize {
    if !I::WIDE_TILES {
        return left.min(2);
    }
    match left {
        1..=4 => left,
        5 => 3,
        7 | 8 => 4,
        _ => MAX_BLOCK,
    }
}
