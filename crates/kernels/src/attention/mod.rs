//! Attention over a paged cache of keys and values.
//!
//! ```text
//! out = Σ softmax(scale * q·k) v        over the positions that a token sees
//! ```
//!
//! `cache.rs` says where keys and values lie, `tile.rs` what is computed, exactly; `half.rs` and `int8.rs` are
//! the loops for either type. This file hands out the work. With few tokens (a reply under way), threads
//! share out *splits* of positions, whose results a second pass folds in order; with many (a prompt), runs of
//! tokens. All query heads of a KV head go together, and tiles are cut at absolute positions: a query's
//! result is the same bits either way, whatever it was batched with (the tiling of Dao et al. 2022,
//! arXiv:2205.14135; splits as in Flash-Decoding, Dao et al. 2023).

mod anchor;
mod cache;
mod half;
mod int8;
mod queries;
mod rotate;
mod store;
mod tile;

use std::ops::Range;
use std::sync::PoisonError;

use crate::isa::{Isa, LANES, Op, dispatch};
use crate::matmul::lock;
use crate::pool::{Grid, Tile};
use crate::{Context, Lines};

pub use cache::{KvLayer, KvType};
pub use store::store_kv;

use cache::{KvData, stride};
use half::Half;
use int8::Int8;
use queries::{MAX_QUERIES, Queries, Run};
use tile::{Job, SPLIT, View, Work, clear, fold_scalars, fold_split, query_len};

/// Positions in a KV block.
pub const BLOCK_TOKENS: usize = 64;
/// Runs of tokens that can share out splits.
const MAX_RUNS: usize = 64;
/// Numbers that all states of splits may take together (4 MiB).
const SPLITS_LEN: usize = 1 << 20;
/// Pieces of work per thread, so that none waits long for the last.
const PIECES: usize = 8;

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

/// What single query heads add to the softmax; empty slices if there is no such thing.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeadTerms<'a> {
    /// ALiBi: `slope * (key's position - query's)` is added to a score, `[n_heads]` (Press et al. 2021,
    /// arXiv:2108.12409).
    pub slopes: &'a [f32],
    /// Scores of a key that is always there and has no value, `[n_heads]` (gpt-oss, arXiv:2508.10925).
    pub sinks: &'a [f32],
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
    /// For each sequence, its slot of the states; empty if no layer keeps a state.
    pub states: &'a [u32],
}

impl BatchView<'_> {
    fn block(&self, sequence: u32, block: usize) -> usize {
        self.block_tables[sequence as usize][block] as usize
    }
}

/// A thread's room for attention.
pub(crate) struct Room {
    queries: Queries,
    work: Work,
    /// States of a split, and of all splits before it.
    split: Lines<f32>,
    total: Lines<f32>,
    /// A rotated head.
    row: Lines<f32>,
}

impl Room {
    pub(crate) fn new(max_head_dim: usize) -> Self {
        let stride = max_head_dim.next_multiple_of(LANES);
        let states = MAX_QUERIES * (stride + LANES);
        Self {
            queries: Queries::new(max_head_dim),
            work: Work::new(max_head_dim),
            split: Lines::new(0.0, states),
            total: Lines::new(0.0, states),
            row: Lines::new(0.0, stride),
        }
    }
}

/// Room for the states of splits that threads share out, once per [`Context`].
pub(crate) fn splits_room() -> Lines<f32> {
    Lines::new(0.0, SPLITS_LEN)
}

/// Attends each token of a batch to its own sequence's positions up to its own, and writes `out`.
///
/// `q` and `out` are `[n_tokens, n_heads, head_dim]`. The batch's keys and values must be stored already.
///
/// # Panics
/// If a position has no block or a shape does not fit.
pub fn attention(
    context: &Context,
    shape: &AttentionShape,
    terms: HeadTerms<'_>,
    batch: BatchView<'_>,
    q: &[f32],
    layer: &KvLayer,
    out: &mut [f32],
) {
    for terms in [terms.slopes, terms.sinks] {
        assert!(
            terms.is_empty() || terms.len() == shape.n_heads,
            "one number for each head"
        );
    }
    let width = shape.n_heads * shape.head_dim;
    assert_eq!(
        q.len(),
        batch.positions.len() * width,
        "q is [n_tokens, n_heads, head_dim]"
    );
    assert_eq!(out.len(), q.len(), "out has the shape of q");
    match &layer.data {
        KvData::F16 { keys, values } => {
            let view = Half { keys, values };
            let job = Job {
                shape,
                terms,
                batch,
                q,
                view,
            };
            attend(context, job, out);
        }
        KvData::Int {
            kv_type,
            keys,
            values,
            key_scales,
            value_scales,
            anchors,
        } => {
            let numbers = (&keys[..], &values[..]);
            let scales = (&key_scales[..], &value_scales[..]);
            if *kv_type == KvType::Q4 {
                let view = Int8::<2>::new(numbers, scales, anchors);
                let job = Job {
                    shape,
                    terms,
                    batch,
                    q,
                    view,
                };
                attend(context, job, out);
            } else {
                let view = Int8::<1>::new(numbers, scales, anchors);
                let job = Job {
                    shape,
                    terms,
                    batch,
                    q,
                    view,
                };
                attend(context, job, out);
            }
        }
    }
}

fn attend<V: View>(context: &Context, job: Job<'_, V>, out: &mut [f32]) {
    let shape = job.shape;
    let (width, group) = (
        shape.n_heads * shape.head_dim,
        shape.n_heads / shape.n_kv_heads,
    );
    let pieces = PIECES * context.pool.num_threads();
    if let Some(plan) = Plan::new(&job, pieces) {
        return plan.run(context, job, out);
    }
    // Fewer tokens at a time if there would be too few pieces.
    let rows = job.batch.positions.len();
    let step = (rows * shape.n_kv_heads / pieces).clamp(1, (MAX_QUERIES / group).max(1));
    context.pool.tiles(
        &mut [Grid::new(out, width, step, group * shape.head_dim)],
        |_, tile, thread| {
            let room = &mut lock(&context.scratch[thread]).attention;
            dispatch(context.level, Direct { job, tile, room });
        },
    );
}

/// Some tokens, the query heads of one KV head, all splits.
struct Direct<'a, V> {
    job: Job<'a, V>,
    tile: Tile<'a>,
    room: &'a mut Room,
}

impl<V: View> Op for Direct<'_, V> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(mut self, isa: I) {
        let (job, room) = (self.job, &mut *self.room);
        let (shape, sequences) = (job.shape, job.batch.sequences);
        let group = shape.n_heads / shape.n_kv_heads;
        let kv_head = self.tile.cols.start / self.tile.cols.len();
        let mut start = self.tile.rows.start;
        while start < self.tile.rows.end {
            let end = run_end(sequences, start, self.tile.rows.end);
            for first in (0..group).step_by(MAX_QUERIES) {
                let run = Run {
                    rows: start..end,
                    kv_head,
                    heads: first..group.min(first + MAX_QUERIES),
                };
                room.queries.pack(isa, &job, &run);
                let len = room.queries.count * query_len(shape);
                let total = &mut room.total[..len];
                clear(shape, total);
                for split in splits(room.queries.span()) {
                    let states = &mut room.split[..len];
                    clear(shape, states);
                    job.split(isa, split, &room.queries, &mut room.work, states);
                    fold_split(isa, shape, total, states);
                }
                for (i, state) in total.chunks_exact_mut(query_len(shape)).enumerate() {
                    let query = room.queries.list[i];
                    let out = &mut self.tile.row(query.row)[query.head * shape.head_dim..];
                    let sink = job.sink(room.queries.kv_head * group + query.head);
                    finish::<I, V>(isa, shape, sink, state, &mut out[..shape.head_dim]);
                }
            }
            start = end;
        }
    }
}

/// The end of the run of one sequence's tokens that begins at `start`.
fn run_end(sequences: &[u32], start: usize, end: usize) -> usize {
    let same = sequences[start..end]
        .iter()
        .take_while(|&&sequence| sequence == sequences[start]);
    start + same.count()
}

/// Splits that hold positions of `span`.
fn splits(span: Range<usize>) -> Range<usize> {
    span.start / SPLIT..span.end.div_ceil(SPLIT)
}

/// The result of a query whose states are all folded; `sink` in units of `ln 2`.
#[inline(always)]
fn finish<I: Isa, V: View>(
    isa: I,
    shape: &AttentionShape,
    sink: Option<f32>,
    state: &mut [f32],
    out: &mut [f32],
) {
    let (sum, numbers) = state.split_at_mut(stride(shape));
    let mut decay = 1.0;
    if let Some(sink) = sink {
        (decay, _) = fold_scalars(isa, numbers, (sink, 1.0));
    }
    let factor = V::finish(isa, shape, sum) * decay / numbers[1];
    for (out, sum) in out.iter_mut().zip(sum) {
        *out = *sum * factor;
    }
}

/// Work for few tokens: (run of tokens, KV head, split), one *slot* of states for each.
struct Plan {
    runs: [PlannedRun; MAX_RUNS],
    num_runs: usize,
    num_slots: usize,
    /// Numbers of a slot.
    slot_len: usize,
    slots_per_piece: usize,
}

#[derive(Clone, Copy, Default)]
struct PlannedRun {
    start: usize,
    end: usize,
    first_split: usize,
    num_splits: usize,
    first_slot: usize,
}

impl Plan {
    /// None if the tokens are many enough to be work for all threads as they are, or too many for the room.
    fn new<V>(job: &Job<'_, V>, pieces: usize) -> Option<Self> {
        let (shape, batch) = (job.shape, job.batch);
        let (rows, heads) = (batch.positions.len(), shape.n_kv_heads);
        let group = shape.n_heads / heads;
        if rows * heads >= pieces * (MAX_QUERIES / group).max(1) || group > MAX_QUERIES {
            return None;
        }
        let mut plan = Self {
            runs: [PlannedRun::default(); MAX_RUNS],
            num_runs: 0,
            num_slots: 0,
            slot_len: 0,
            slots_per_piece: 1,
        };
        let mut start = 0;
        while start < rows {
            let end = run_end(
                batch.sequences,
                start,
                rows.min(start + MAX_QUERIES / group),
            );
            let splits = splits(span_of(shape, &batch.positions[start..end]));
            *plan.runs.get_mut(plan.num_runs)? = PlannedRun {
                start,
                end,
                first_split: splits.start,
                num_splits: splits.len(),
                first_slot: plan.num_slots,
            };
            plan.num_runs += 1;
            plan.num_slots += splits.len() * heads;
            let len = (end - start) * group * query_len(shape);
            plan.slot_len = plan.slot_len.max(len);
            start = end;
        }
        // Alone, each token's splits are one, with nothing to fold: one job instead of two.
        if plan.num_runs == rows && plan.num_slots == rows * heads {
            return None;
        }
        plan.slots_per_piece = (plan.num_slots / pieces).max(1);
        (plan.num_slots * plan.slot_len <= SPLITS_LEN).then_some(plan)
    }

    fn run<V: View>(&self, context: &Context, job: Job<'_, V>, out: &mut [f32]) {
        let shape = job.shape;
        let states = context.splits.lock();
        let mut states = states.unwrap_or_else(PoisonError::into_inner);
        let states = &mut states[..self.num_slots * self.slot_len];
        context.pool.tiles(
            &mut [Grid::new(
                states,
                self.slot_len,
                self.slots_per_piece,
                self.slot_len,
            )],
            |_, tile, thread| {
                let room = &mut lock(&context.scratch[thread]).attention;
                let plan = self;
                dispatch(
                    context.level,
                    Slots {
                        plan,
                        job,
                        tile,
                        room,
                    },
                );
            },
        );
        let (width, group) = (
            shape.n_heads * shape.head_dim,
            shape.n_heads / shape.n_kv_heads,
        );
        let states = &*states;
        context.pool.tiles(
            &mut [Grid::new(out, width, 1, group * shape.head_dim)],
            |_, tile, thread| {
                let room = &mut lock(&context.scratch[thread]).attention;
                let plan = self;
                let op = Merge::<V> {
                    plan,
                    job,
                    states,
                    tile,
                    room,
                };
                dispatch(context.level, op);
            },
        );
    }

    fn run_of_slot(&self, slot: usize) -> &PlannedRun {
        let after = self.runs[..self.num_runs].partition_point(|run| run.first_slot <= slot);
        &self.runs[after - 1]
    }

    fn run_of_row(&self, row: usize) -> &PlannedRun {
        let after = self.runs[..self.num_runs].partition_point(|run| run.start <= row);
        &self.runs[after - 1]
    }
}

/// Positions that tokens at `positions` see.
fn span_of(shape: &AttentionShape, positions: &[u32]) -> Range<usize> {
    let first = positions.iter().min().map_or(0, |&p| p as usize);
    let last = positions.iter().max().map_or(0, |&p| p as usize);
    let from = shape
        .window
        .map_or(0, |window| (first + 1).saturating_sub(window));
    from..last + 1
}

/// Fills some slots.
struct Slots<'a, V> {
    plan: &'a Plan,
    job: Job<'a, V>,
    tile: Tile<'a>,
    room: &'a mut Room,
}

impl<V: View> Op for Slots<'_, V> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(mut self, isa: I) {
        let (job, room) = (self.job, &mut *self.room);
        let group = job.shape.n_heads / job.shape.n_kv_heads;
        let mut packed = None;
        for slot in self.tile.rows.clone() {
            let run = self.plan.run_of_slot(slot);
            let index = slot - run.first_slot;
            let kv_head = index / run.num_splits;
            if packed != Some((run.start, kv_head)) {
                packed = Some((run.start, kv_head));
                let run = Run {
                    rows: run.start..run.end,
                    kv_head,
                    heads: 0..group,
                };
                room.queries.pack(isa, &job, &run);
            }
            let split = run.first_split + index % run.num_splits;
            let len = room.queries.count * query_len(job.shape);
            let states = &mut self.tile.row(slot)[..len];
            clear(job.shape, states);
            job.split(isa, split, &room.queries, &mut room.work, states);
        }
    }
}

/// Folds the slots of one token and KV head, and writes the results.
struct Merge<'a, V> {
    plan: &'a Plan,
    job: Job<'a, V>,
    states: &'a [f32],
    tile: Tile<'a>,
    room: &'a mut Room,
}

impl<V: View> Op for Merge<'_, V> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(mut self, isa: I) {
        let shape = self.job.shape;
        let group = shape.n_heads / shape.n_kv_heads;
        let (row, kv_head) = (
            self.tile.rows.start,
            self.tile.cols.start / self.tile.cols.len(),
        );
        let run = self.plan.run_of_row(row);
        let len = group * query_len(shape);
        let total = &mut self.room.total[..len];
        clear(shape, total);
        for split in 0..run.num_splits {
            let slot = run.first_slot + kv_head * run.num_splits + split;
            let states = &self.states[slot * self.plan.slot_len + (row - run.start) * len..][..len];
            fold_split(isa, shape, total, states);
        }
        let heads = self.tile.row(row).chunks_exact_mut(shape.head_dim);
        let states = total.chunks_exact_mut(query_len(shape));
        for (head, (state, out)) in states.zip(heads).enumerate() {
            let sink = self.job.sink(kv_head * group + head);
            finish::<I, V>(isa, shape, sink, state, out);
        }
    }
}
