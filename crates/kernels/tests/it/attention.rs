//! Attention over KV blocks against plain softmax attention in f64, and the same bits however computed.

use half::f16;
use kernels::{
    AttentionShape, BLOCK_TOKENS, BatchView, Context, Level, Sizes, attention, store_kv,
};

use crate::levels::{best_as, references, same_as};
use crate::random::Random;

/// Sequences of some length, their keys, values and queries: `[len, heads, head_dim]` each.
struct Case {
    shape: AttentionShape,
    sequences: Vec<Sequence>,
}

struct Sequence {
    len: usize,
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
}

impl Case {
    fn new(shape: AttentionShape, lens: &[usize]) -> Self {
        let mut random = Random(lens.len() as u64 + 5);
        let sequences = lens.iter().map(|&len| {
            let mut floats = |heads: usize| random.floats(len * heads * shape.head_dim);
            let q = floats(shape.n_heads).into_iter().map(|x| x * 4.0).collect();
            let (k, v) = (floats(shape.n_kv_heads), floats(shape.n_kv_heads));
            Sequence { len, q, k, v }
        });
        Self {
            shape,
            sequences: sequences.collect(),
        }
    }

    /// Runs everything, `step` tokens of each sequence at a time, all sequences in one batch.
    ///
    /// Blocks are handed out in turns and from the back, so no sequence has its own in a row.
    fn run(&self, level: Level, num_threads: usize, step: usize) -> Vec<Vec<f32>> {
        let shape = &self.shape;
        let sizes = Sizes {
            max_k: 256,
            max_head_dim: shape.head_dim,
        };
        let context = Context::new(level, num_threads, sizes).expect("threads");
        let longest = self.sequences.iter().map(|s| s.len).max().unwrap_or(0);
        let (per_sequence, n) = (longest.div_ceil(BLOCK_TOKENS), self.sequences.len());
        let tables: Vec<Vec<u32>> = (0..n)
            .map(|s| {
                (0..per_sequence)
                    .map(|b| (n * (per_sequence - b) - 1 - s) as u32)
                    .collect()
            })
            .collect();
        let tables: Vec<&[u32]> = tables.iter().map(Vec::as_slice).collect();
        // What was there before must not matter: NaNs, everywhere.
        let len = n * per_sequence * shape.block_len();
        let (mut keys, mut values) = (vec![0x7e00; len], vec![0x7e00; len]);
        let mut out: Vec<Vec<f32>> = vec![Vec::new(); n];
        for start in (0..longest).step_by(step) {
            let (mut positions, mut sequences) = (Vec::new(), Vec::new());
            let (mut q, mut k, mut v) = (Vec::new(), Vec::new(), Vec::new());
            for (index, sequence) in self.sequences.iter().enumerate() {
                let end = sequence.len.min(start + step);
                for position in start.min(end)..end {
                    positions.push(position as u32);
                    sequences.push(index as u32);
                    q.extend_from_slice(row(&sequence.q, position, shape.n_heads * shape.head_dim));
                    let width = shape.n_kv_heads * shape.head_dim;
                    k.extend_from_slice(row(&sequence.k, position, width));
                    v.extend_from_slice(row(&sequence.v, position, width));
                }
            }
            let batch = BatchView {
                positions: &positions,
                sequences: &sequences,
                block_tables: &tables,
            };
            store_kv(&context, shape, batch, (&k, &v), (&mut keys, &mut values));
            let mut y = vec![f32::NAN; q.len()];
            attention(&context, shape, batch, &q, (&keys, &values), &mut y);
            let width = shape.n_heads * shape.head_dim;
            for (&sequence, y) in sequences.iter().zip(y.chunks_exact(width)) {
                out[sequence as usize].extend_from_slice(y);
            }
        }
        out
    }
}

impl Sequence {
    /// Softmax attention as written in the paper, keys and values rounded to f16.
    fn oracle(&self, shape: &AttentionShape) -> Vec<f64> {
        let dim = shape.head_dim;
        let half = |x: &f32| f16::from_f32(*x).to_f64();
        let (k, v): (Vec<f64>, Vec<f64>) = (
            self.k.iter().map(half).collect(),
            self.v.iter().map(half).collect(),
        );
        let mut out = Vec::new();
        for (i, q) in self.q.chunks_exact(dim).enumerate() {
            let (position, head) = (i / shape.n_heads, i % shape.n_heads);
            let kv_head = head / (shape.n_heads / shape.n_kv_heads);
            let at = |position: usize| (position * shape.n_kv_heads + kv_head) * dim;
            let first = shape
                .window
                .map_or(0, |window| (position + 1).saturating_sub(window));
            let weight = |other: usize| {
                let dot = q
                    .iter()
                    .zip(&k[at(other)..])
                    .map(|(&q, k)| f64::from(q) * k);
                let score = dot.sum::<f64>() * f64::from(shape.scale);
                let capped = |cap: f32| (score / f64::from(cap)).tanh() * f64::from(cap);
                shape.softcap.map_or(score, capped).exp()
            };
            let weights: Vec<f64> = (first..=position).map(weight).collect();
            let sum: f64 = weights.iter().sum();
            for d in 0..dim {
                let values = (first..=position)
                    .zip(&weights)
                    .map(|(p, w)| w * v[at(p) + d]);
                out.push(values.sum::<f64>() / sum);
            }
        }
        out
    }
}

fn row(x: &[f32], i: usize, width: usize) -> &[f32] {
    &x[i * width..][..width]
}

fn shape(
    n_heads: usize,
    n_kv_heads: usize,
    head_dim: usize,
    window: Option<usize>,
) -> AttentionShape {
    let scale = 1.0 / (head_dim as f32).sqrt();
    AttentionShape {
        n_heads,
        n_kv_heads,
        head_dim,
        scale,
        window,
        softcap: None,
    }
}

fn capped(softcap: f32, shape: AttentionShape) -> AttentionShape {
    AttentionShape {
        softcap: Some(softcap),
        ..shape
    }
}

/// Group sizes 1 to 8, heads of less and more than a vector and of no whole one, windows within a
/// block, of one block and across several.
fn shapes() -> Vec<AttentionShape> {
    vec![
        shape(4, 4, 8, None),
        shape(9, 3, 64, None),
        shape(8, 1, 80, None),
        shape(2, 2, 128, None),
        shape(6, 2, 20, None),
        shape(2, 1, 34, Some(33)),
        shape(4, 2, 16, Some(1)),
        shape(4, 2, 64, Some(5)),
        shape(4, 2, 32, Some(32)),
        shape(4, 1, 16, Some(70)),
        capped(50.0, shape(4, 2, 48, None)),
        capped(0.5, shape(2, 1, 24, Some(40))),
    ]
}

const LENS: &[usize] = &[1, 31, 32, 33, 100, 65];

#[test]
fn attention_is_near_an_f64_oracle() {
    for reference in references() {
        for shape in shapes() {
            let case = Case::new(shape, LENS);
            let found = case.run(reference, 1, 17);
            for (sequence, found) in case.sequences.iter().zip(found) {
                let expected = sequence.oracle(&shape);
                assert_eq!(found.len(), expected.len());
                for (i, (&a, &b)) in found.iter().zip(&expected).enumerate() {
                    let (position, len) = (i / (shape.n_heads * shape.head_dim), sequence.len);
                    assert!(
                        (f64::from(a) - b).abs() <= 2e-6,
                        "{shape:?}, position {position} of {len}: {a} for {b}"
                    );
                }
            }
        }
    }
}

#[test]
fn all_levels_chunks_batches_and_threads_give_the_same_bits() {
    for reference in references() {
        for shape in shapes() {
            let case = Case::new(shape, LENS);
            let expected = case.run(reference, 1, 100);
            for level in same_as(reference) {
                for (threads, step) in [(1, 1), (2, 100), (3, 7), (2, 32)] {
                    let found = case.run(level, threads, step);
                    for (len, (a, b)) in LENS.iter().zip(found.iter().zip(&expected)) {
                        let same = a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits());
                        let level = level.name();
                        assert!(
                            same,
                            "{shape:?} {level} threads={threads} step={step} len={len}"
                        );
                    }
                }
            }
            // A sequence alone, in blocks of its own.
            for (sequence, expected) in case.sequences.into_iter().zip(expected) {
                let alone = Case {
                    shape,
                    sequences: vec![sequence],
                };
                let found = alone.run(best_as(reference), 2, 13);
                let same = found[0]
                    .iter()
                    .zip(&expected)
                    .all(|(a, b)| a.to_bits() == b.to_bits());
                assert!(same, "{shape:?} alone, len={}", alone.sequences[0].len);
            }
        }
    }
}

#[test]
fn scores_far_apart_neither_overflow_nor_vanish() {
    let shape = AttentionShape {
        scale: 30.0,
        ..shape(2, 1, 16, None)
    };
    let case = Case::new(shape, &[70]);
    for level in Level::available() {
        let found = &case.run(level, 1, 70)[0];
        // The oracle's exponents reach some hundreds here, which f64 still holds.
        let expected = case.sequences[0].oracle(&shape);
        for (&a, &b) in found.iter().zip(&expected) {
            assert!(
                (f64::from(a) - b).abs() <= 2e-4,
                "{}: {a} for {b}",
                level.name()
            );
        }
    }
}
