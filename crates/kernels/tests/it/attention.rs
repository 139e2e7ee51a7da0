//! Attention over KV blocks against plain softmax attention in f64, and the same bits however computed.

use half::f16;
use kernels::{
    AttentionShape, BLOCK_TOKENS, BatchView, Context, HeadTerms, KvLayer, KvType, Level, Sizes,
    attention, store_kv,
};

use crate::levels::{best_as, references, same_as};
use crate::random::Random;

/// Sequences of some length, their keys, values and queries: `[len, heads, head_dim]` each.
struct Case {
    shape: AttentionShape,
    kv_type: KvType,
    sequences: Vec<Sequence>,
    slopes: Vec<f32>,
    sinks: Vec<f32>,
}

#[derive(Clone)]
struct Sequence {
    len: usize,
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    /// As stored in four bits: queries as they were, and what keys are differences from.
    anchored: Option<(Vec<f32>, Vec<f32>)>,
}

impl Case {
    fn new(shape: AttentionShape, kv_type: KvType, lens: &[usize]) -> Self {
        let mut random = Random(lens.len() as u64 + 5);
        let sequences = lens.iter().map(|&len| {
            let mut floats = |heads: usize| random.floats(len * heads * shape.head_dim);
            let q = floats(shape.n_heads).into_iter().map(|x| x * 4.0).collect();
            let (k, v) = (floats(shape.n_kv_heads), floats(shape.n_kv_heads));
            Sequence {
                len,
                q,
                k,
                v,
                anchored: None,
            }
        });
        Self {
            shape,
            kv_type,
            sequences: sequences.collect(),
            slopes: Vec::new(),
            sinks: Vec::new(),
        }
    }

    /// With slopes for distances and a sink in each head, some of them above all scores.
    fn with_terms(self) -> Self {
        let heads = 0..self.shape.n_heads;
        let slope = |head: usize| (-8.0 * (head + 1) as f32 / heads.len() as f32).exp2();
        let sink = |head: usize| head as f32 * 9.0 - 10.0;
        Self {
            slopes: heads.clone().map(slope).collect(),
            sinks: heads.clone().map(sink).collect(),
            ..self
        }
    }

    fn context(&self, level: Level, num_threads: usize) -> Context {
        let sizes = Sizes {
            max_k: 256,
            max_head_dim: self.shape.head_dim,
        };
        Context::new(level, num_threads, sizes).expect("threads")
    }

    /// Runs everything, `step` tokens of each sequence at a time, all sequences in one batch.
    ///
    /// Blocks are handed out in turns and from the back, so no sequence has its own in a row.
    fn run(&self, level: Level, num_threads: usize, step: usize) -> Vec<Vec<f32>> {
        let shape = &self.shape;
        let context = self.context(level, num_threads);
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
        let mut layer = KvLayer::new(shape, self.kv_type, n * per_sequence);
        self.poison(&context, &tables, &mut layer);
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
                states: &[],
            };
            store_kv(&context, shape, batch, (&k, &v), &mut layer);
            let mut y = vec![f32::NAN; q.len()];
            attention(
                &context,
                shape,
                HeadTerms {
                    slopes: &self.slopes,
                    sinks: &self.sinks,
                },
                batch,
                &q,
                &layer,
                &mut y,
            );
            let width = shape.n_heads * shape.head_dim;
            for (&sequence, y) in sequences.iter().zip(y.chunks_exact(width)) {
                out[sequence as usize].extend_from_slice(y);
            }
        }
        out
    }

    /// What was there before must not matter: NaNs, everywhere.
    fn poison(&self, context: &Context, tables: &[&[u32]], layer: &mut KvLayer) {
        let width = self.shape.n_kv_heads * self.shape.head_dim;
        for (sequence, table) in tables.iter().enumerate() {
            let len = table.len() * BLOCK_TOKENS;
            let batch = BatchView {
                positions: &(0..len as u32).collect::<Vec<_>>(),
                sequences: &vec![sequence as u32; len],
                block_tables: tables,
                states: &[],
            };
            let nans = vec![f32::NAN; len * width];
            store_kv(context, &self.shape, batch, (&nans, &nans), layer);
        }
    }
}

impl Sequence {
    /// Softmax attention as written in the paper, in f64.
    fn oracle(&self, shape: &AttentionShape, case: &Case) -> Vec<f64> {
        let dim = shape.head_dim;
        let mut out = Vec::new();
        for (i, q) in self.q.chunks_exact(dim).enumerate() {
            let (position, head) = (i / shape.n_heads, i % shape.n_heads);
            let kv_head = head / (shape.n_heads / shape.n_kv_heads);
            let at = |position: usize| (position * shape.n_kv_heads + kv_head) * dim;
            let first = shape
                .window
                .map_or(0, |window| (position + 1).saturating_sub(window));
            let dot = |q: &[f32], k: &[f32]| -> f64 {
                let products = q.iter().zip(k).map(|(&q, &k)| f64::from(q) * f64::from(k));
                products.sum()
            };
            let weight = |other: usize| {
                let mut score = dot(q, &self.k[at(other)..]);
                if let Some((queries, anchors)) = &self.anchored {
                    score += dot(&queries[i * dim..][..dim], &anchors[at(other)..]);
                }
                let score = score * f64::from(shape.scale);
                let capped = |cap: f32| (score / f64::from(cap)).tanh() * f64::from(cap);
                let slope = case.slopes.get(head).map_or(0.0, |&slope| f64::from(slope));
                let distance = position as f64 - other as f64;
                (shape.softcap.map_or(score, capped) - slope * distance).exp()
            };
            let sink = case
                .sinks
                .get(head)
                .map_or(0.0, |&sink| f64::from(sink).exp());
            let weights: Vec<f64> = (first..=position).map(weight).collect();
            let sum = weights.iter().sum::<f64>() + sink;
            for d in 0..dim {
                let values = (first..=position)
                    .zip(&weights)
                    .map(|(p, w)| w * f64::from(self.v[at(p) + d]));
                out.push(values.sum::<f64>() / sum);
            }
        }
        out
    }

    /// Keys and values as a cache of this type holds them, and queries as it multiplies them.
    fn stored(&self, shape: &AttentionShape, kv_type: KvType) -> Self {
        let mut stored = self.clone();
        match kv_type {
            KvType::F16 => {
                let round = |x: &mut f32| *x = f16::from_f32(*x).to_f32();
                stored.k.iter_mut().for_each(round);
                stored.v.iter_mut().for_each(round);
            }
            KvType::Q8 | KvType::Q4 => {
                let four_bits = kv_type == KvType::Q4;
                let most = if four_bits { 7.0 } else { 127.0 };
                if four_bits {
                    let anchors = anchors(shape, &self.k);
                    let keys = stored.k.iter_mut().zip(&anchors);
                    keys.for_each(|(k, anchor)| *k -= anchor);
                    stored.anchored = Some((self.q.clone(), anchors));
                }
                for (x, most) in [
                    (&mut stored.q, 127.0),
                    (&mut stored.k, most),
                    (&mut stored.v, most),
                ] {
                    let heads = x.chunks_exact_mut(shape.head_dim);
                    heads.for_each(|head| in_steps(head, most));
                }
            }
        }
        stored
    }
}

/// For each key the elements of its block's first that are more than four times that key's median.
fn anchors(shape: &AttentionShape, keys: &[f32]) -> Vec<f32> {
    let width = shape.n_kv_heads * shape.head_dim;
    let mut anchors = Vec::new();
    for position in 0..keys.len() / width {
        let first = row(keys, position / BLOCK_TOKENS * BLOCK_TOKENS, width);
        for head in first.chunks_exact(shape.head_dim) {
            let mut sizes: Vec<f32> = head.iter().map(|x| x.abs()).collect();
            sizes.sort_by(f32::total_cmp);
            let least = 4.0 * sizes[sizes.len() / 2];
            anchors.extend(head.iter().map(|&x| if x.abs() > least { x } else { 0.0 }));
        }
    }
    anchors
}

/// A head rotated by the Walsh-Hadamard matrix, rounded to `most` steps of its largest element, and rotated back.
///
/// Sums in f32 and in the kernel's order on the way there: what falls between two steps is a matter of bits.
fn in_steps(head: &mut [f32], most: f32) {
    let size = 1_usize << head.len().trailing_zeros();
    let mut half = size / 2;
    while half > 0 {
        for i in (0..head.len()).filter(|i| i & half == 0) {
            let (a, b) = (head[i], head[i + half]);
            (head[i], head[i + half]) = (a + b, a - b);
        }
        half /= 2;
    }
    let (scale, inverse) = scale(head, most);
    let step = |x: &f32| f64::from((x * inverse).round_ties_even().clamp(-most, most) * scale);
    let steps: Vec<f64> = head.iter().map(step).collect();
    for (i, x) in head.iter_mut().enumerate() {
        // `H[i][j]` is -1 where `i & j` has an odd number of ones.
        let stretch = steps[i / size * size..][..size].iter().enumerate();
        let sign = |j: usize| 1.0 - 2.0 * f64::from(((i % size) & j).count_ones() % 2);
        let sum: f64 = stretch.map(|(j, x)| sign(j) * x).sum();
        *x = (sum / size as f64) as f32;
    }
}

/// A step and its inverse; of four bits the best of ten, in the kernel's order of operations again.
fn scale(head: &[f32], most: f32) -> (f32, f32) {
    let max = head.iter().fold(0.0_f32, |max, x| max.max(x.abs()));
    let error = |(scale, inverse): (f32, f32)| {
        let mut lanes = [0.0_f32; 16];
        for (i, x) in head.iter().enumerate() {
            let number = (x * inverse).clamp(-most, most).round_ties_even();
            let off = x - number * scale;
            lanes[i % 16] = off.mul_add(off, lanes[i % 16]);
        }
        for half in [8, 4, 2, 1] {
            for i in 0..half {
                lanes[i] += lanes[i + half];
            }
        }
        lanes[0]
    };
    let parts = if most == 7.0 { 10 } else { 1 };
    let tried = (0..parts).map(|i| 1.0 - 0.05 * i as f32);
    let tried = tried.map(|part| (max / most * part, most / max / part));
    tried
        .min_by(|&a, &b| error(a).total_cmp(&error(b)))
        .expect("one at least")
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

/// Group sizes that fill blocks of queries and that leave rests, heads of less and more than a vector and of
/// no whole one, windows within a block, of one block and across several.
fn shapes() -> Vec<(AttentionShape, &'static [usize])> {
    const SHORT: &[usize] = &[1, 63, 64, 65, 130, 31];
    const LONG: &[usize] = &[600, 257, 513];
    vec![
        (shape(4, 4, 8, None), SHORT),
        (shape(9, 3, 64, None), SHORT),
        (shape(8, 1, 80, None), SHORT),
        (shape(12, 2, 128, None), &[140, 9]),
        (shape(2, 1, 256, Some(70)), &[150, 3]),
        (shape(5, 1, 20, None), SHORT),
        (shape(7, 1, 6, None), SHORT),
        (shape(100, 1, 4, None), &[70, 3]),
        (shape(2, 1, 34, Some(33)), SHORT),
        (shape(4, 2, 16, Some(1)), SHORT),
        (shape(4, 2, 64, Some(5)), SHORT),
        (shape(4, 2, 32, Some(64)), SHORT),
        (shape(2, 1, 16, None), LONG),
        (shape(2, 2, 32, Some(300)), LONG),
        (capped(50.0, shape(4, 2, 48, None)), SHORT),
        (capped(0.5, shape(2, 1, 24, Some(40))), SHORT),
    ]
}

#[test]
fn attention_is_near_an_f64_oracle() {
    for reference in references() {
        for ((shape, lens), kv_type) in cases() {
            near_the_oracle(reference, Case::new(shape, kv_type, lens));
        }
    }
}

/// How far from the oracle a result may be. Weights of int8 values are rounded to 1/127 of the largest of a KV block.
fn bound(kv_type: KvType) -> f64 {
    match kv_type {
        KvType::F16 => 2e-6,
        KvType::Q8 | KvType::Q4 => 3e-2,
    }
}

fn near_the_oracle(level: Level, case: Case) {
    let Case { shape, kv_type, .. } = case;
    let found = case.run(level, 1, 17);
    let bound = bound(kv_type);
    let (mut squares, mut count) = (0.0, 0.0);
    for (sequence, found) in case.sequences.iter().zip(found) {
        let expected = sequence.stored(&shape, kv_type).oracle(&shape, &case);
        assert_eq!(found.len(), expected.len());
        for (i, (&a, &b)) in found.iter().zip(&expected).enumerate() {
            let (position, len) = (i / (shape.n_heads * shape.head_dim), sequence.len);
            let off = (f64::from(a) - b).abs();
            assert!(
                off <= bound,
                "{shape:?} {kv_type:?}, position {position} of {len}: {a} for {b}"
            );
            (squares, count) = (off.mul_add(off, squares), count + 1.0);
        }
    }
    let mean: f64 = (squares / count).sqrt();
    assert!(mean <= bound / 8.0, "{shape:?} {kv_type:?}: {mean}");
}

fn cases() -> impl Iterator<Item = ((AttentionShape, &'static [usize]), KvType)> {
    let both = |case| KvType::ALL.map(|kv_type| (case, kv_type));
    shapes().into_iter().flat_map(both)
}

#[test]
fn large_elements_do_not_spoil_integers() {
    // As a bias on keys does: the same element of each, far beyond the others; and further than int8 could bear.
    for (kv_type, large) in [(KvType::Q8, 60.0), (KvType::Q4, 60.0), (KvType::Q4, 900.0)] {
        one_large_element(kv_type, large);
    }
}

fn one_large_element(kv_type: KvType, large: f32) {
    let shape = shape(2, 1, 64, None);
    let mut case = Case::new(shape, kv_type, &[100]);
    for head in case.sequences[0].k.chunks_exact_mut(64) {
        head[5] += large;
    }
    let found = &case.run(Level::best(), 1, 100)[0];
    let expected = case.sequences[0].oracle(&shape, &case);
    let errors = found
        .iter()
        .zip(&expected)
        .map(|(&a, b)| (f64::from(a) - b).abs());
    let worst = errors.fold(0.0, f64::max);
    let bound = if kv_type == KvType::Q4 { 0.25 } else { 0.1 };
    assert!(worst < bound, "{kv_type:?} {large}: {worst}");
}

#[test]
fn slopes_and_sinks_are_near_the_oracle_and_the_same_bits_however_computed() {
    let cases: [(AttentionShape, &[usize]); 4] = [
        (shape(4, 2, 16, None), &[1, 64, 65, 130]),
        (shape(5, 1, 20, Some(33)), &[70, 3]),
        (shape(8, 1, 64, None), &[600, 257]),
        (shape(3, 3, 8, None), &[513]),
    ];
    for reference in references() {
        for (shape, lens) in cases {
            for kv_type in KvType::ALL {
                let case = || Case::new(shape, kv_type, lens).with_terms();
                near_the_oracle(reference, case());
                same_however_computed(reference, case());
            }
        }
    }
}

#[test]
fn all_levels_chunks_batches_and_threads_give_the_same_bits() {
    for reference in references() {
        for ((shape, lens), kv_type) in cases() {
            same_however_computed(reference, Case::new(shape, kv_type, lens));
        }
    }
}

fn same_however_computed(reference: Level, case: Case) {
    let Case { shape, kv_type, .. } = case;
    let lens: Vec<usize> = case.sequences.iter().map(|sequence| sequence.len).collect();
    let expected = case.run(reference, 1, 1000);
    for level in same_as(reference) {
        for (threads, step) in [(1, 1), (2, 1000), (3, 7), (2, 64)] {
            let found = case.run(level, threads, step);
            for (len, (a, b)) in lens.iter().zip(found.iter().zip(&expected)) {
                let level = level.name();
                assert!(
                    same(a, b),
                    "{shape:?} {kv_type:?} {level} threads={threads} step={step} len={len}"
                );
            }
        }
    }
    // A sequence alone, in blocks of its own.
    for (sequence, expected) in case.sequences.into_iter().zip(expected) {
        let alone = Case {
            shape,
            kv_type,
            sequences: vec![sequence],
            slopes: case.slopes.clone(),
            sinks: case.sinks.clone(),
        };
        let found = alone.run(best_as(reference), 2, 13);
        let len = alone.sequences[0].len;
        assert!(
            same(&found[0], &expected),
            "{shape:?} {kv_type:?} alone, len={len}"
        );
    }
}

fn same(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
}

#[test]
fn scores_far_apart_neither_overflow_nor_vanish() {
    let shape = AttentionShape {
        scale: 30.0,
        ..shape(2, 1, 16, None)
    };
    for kv_type in KvType::ALL {
        // f16's exponents, some hundreds, lose as many bits.
        let bound = bound(kv_type).max(3e-4);
        let case = Case::new(shape, kv_type, &[70]);
        // The oracle's exponents reach some hundreds here, which f64 still holds.
        let expected = case.sequences[0]
            .stored(&shape, kv_type)
            .oracle(&shape, &case);
        for level in Level::available() {
            let found = &case.run(level, 1, 70)[0];
            for (&a, &b) in found.iter().zip(&expected) {
                assert!(
                    (f64::from(a) - b).abs() <= bound,
                    "{kv_type:?} {}: {a} for {b}",
                    level.name()
                );
            }
        }
    }
}

#[test]
fn values_of_nothing_give_nothing() {
    for kv_type in KvType::ALL {
        let shape = shape(2, 1, 16, None);
        let mut case = Case::new(shape, kv_type, &[80]);
        case.sequences[0].v.fill(0.0);
        case.sequences[0].k.fill(0.0);
        for level in Level::available() {
            let found = &case.run(level, 1, 80)[0];
            assert!(
                found.iter().all(|&x| x == 0.0),
                "{kv_type:?} {}",
                level.name()
            );
        }
    }
}

#[test]
fn a_later_token_of_infinities_does_not_touch_earlier_ones() {
    for kv_type in KvType::ALL {
        let shape = shape(2, 1, 16, None);
        let mut case = Case::new(shape, kv_type, &[40]);
        let expected = case.run(Level::best(), 1, 40).remove(0);
        case.sequences[0].v[39 * 16..].fill(f32::INFINITY);
        let found = case.run(Level::best(), 1, 40).remove(0);
        assert!(same(&found[..39 * 32], &expected[..39 * 32]), "{kv_type:?}");
    }
}
