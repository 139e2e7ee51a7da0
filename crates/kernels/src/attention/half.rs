//! f16 keys and values: f32 multiply-adds, elements of a key in order, positions of a value in order.

use std::ops::Range;

use super::cache::{head_block_len, stride};
use super::queries::Queries;
use super::tile::{Fold, Places, TILE, View, Work, apply_cap, peak, query_len};
use super::{AttentionShape, BLOCK_TOKENS};
use crate::isa::{Isa, LANES};
use crate::vector::exp2;

/// Vectors of positions in a block.
const VECTORS: usize = BLOCK_TOKENS / LANES;

/// A layer's keys and values in f16.
#[derive(Clone, Copy)]
pub(super) struct Half<'a> {
    pub(super) keys: &'a [u16],
    pub(super) values: &'a [u16],
}

impl View for Half<'_> {
    #[inline(always)]
    fn pack<I: Isa>(
        _: I,
        shape: &AttentionShape,
        q: &[f32],
        (start, _, j): (usize, usize, usize),
        queries: &mut Queries,
    ) {
        let factor = super::tile::factor(shape);
        let packed = &mut queries.floats[(start + j) * shape.head_dim..][..q.len()];
        for (q, packed) in q.iter().zip(packed) {
            *packed = q * factor;
        }
    }

    #[inline(always)]
    fn scores<I: Isa, const N: usize>(
        self,
        isa: I,
        shape: &AttentionShape,
        queries: &Queries,
        start: usize,
        (places, block): (&Places, usize),
        scores: &mut [[f32; TILE]; N],
    ) {
        let (dim, len) = (shape.head_dim, head_block_len(shape));
        let place = places.here[block] * len;
        let keys = self.keys[place..][..len].as_chunks::<LANES>().0;
        let keys = &keys.as_chunks::<VECTORS>().0[..dim];
        let q = &queries.floats[start * dim..][..N * dim];
        let task = Scores {
            shape,
            keys,
            q,
            values: self.values,
            place,
            at: block * BLOCK_TOKENS,
        };
        if I::WIDE_TILES {
            task.vectors::<I, VECTORS, N>(isa, 0, scores);
        } else {
            task.vectors::<I, 2, N>(isa, 0, scores);
            task.vectors::<I, 2, N>(isa, 2, scores);
        }
    }

    #[inline(always)]
    fn softmax<I: Isa, const N: usize>(
        self,
        isa: I,
        work: &mut Work,
        n: usize,
        _: &Places,
        span: Range<usize>,
        valid: Range<usize>,
    ) -> (f32, f32) {
        let row = &mut work.scores[n];
        row[span.start..valid.start].fill(f32::NEG_INFINITY);
        row[valid.end..span.end].fill(f32::NEG_INFINITY);
        let scores = row[span].as_chunks_mut::<LANES>().0;
        let max = peak(isa, scores);
        let mut sum = isa.splat(0.0);
        for score in scores {
            let prob = exp2(isa, isa.sub(isa.load(score), isa.splat(max)));
            sum = isa.add(sum, prob);
            isa.store(prob, score);
        }
        (max, isa.sum(sum))
    }

    #[inline(always)]
    fn values<I: Isa, const N: usize>(
        self,
        isa: I,
        shape: &AttentionShape,
        (places, blocks): (&Places, Range<usize>),
        work: &mut Work,
        folds: &[Fold; N],
        state: &mut [f32],
    ) {
        let stride = stride(shape);
        let Work { scores, out, .. } = work;
        out[..N * stride].fill(0.0);
        let mut common = 0..TILE;
        for fold in folds {
            common = common.start.max(fold.valid.start)..common.end.min(fold.valid.end);
        }
        if common.is_empty() {
            common = TILE..TILE;
        }
        for block in blocks {
            let at = block * BLOCK_TOKENS;
            // Positions that only some of the queries see must not touch the others: 0 * infinity is no 0.
            for n in 0..N {
                let valid = &folds[n].valid;
                let left = valid.start..valid.end.min(common.start);
                let rows = scores[n..].first_chunk::<1>().expect("n < N");
                self.weigh(
                    isa,
                    shape,
                    (places, block),
                    rows,
                    cut(left, at),
                    &mut out[n * stride..],
                );
            }
            let rows = scores.first_chunk::<N>().expect("N rows");
            self.weigh(
                isa,
                shape,
                (places, block),
                rows,
                cut(common.clone(), at),
                out,
            );
            for n in 0..N {
                let valid = &folds[n].valid;
                let right = valid.start.max(common.end)..valid.end;
                let rows = scores[n..].first_chunk::<1>().expect("n < N");
                self.weigh(
                    isa,
                    shape,
                    (places, block),
                    rows,
                    cut(right, at),
                    &mut out[n * stride..],
                );
            }
        }
        for n in 0..N {
            if folds[n].valid.is_empty() {
                continue;
            }
            let (decay, weight) = (isa.splat(folds[n].decay), isa.splat(folds[n].weight));
            let state = &mut state[n * query_len(shape)..][..stride];
            let out = out[n * stride..][..stride].as_chunks::<LANES>().0;
            for (state, out) in state.as_chunks_mut::<LANES>().0.iter_mut().zip(out) {
                let old = isa.mul(isa.load(state), decay);
                isa.store(isa.mul_add(isa.load(out), weight, old), state);
            }
        }
    }
}

/// The part of a range of a tile that lies in the block at `at`.
#[inline(always)]
fn cut(range: Range<usize>, at: usize) -> Range<usize> {
    let end = range.end.saturating_sub(at).min(BLOCK_TOKENS);
    range.start.saturating_sub(at).min(end)..end
}

impl Half<'_> {
    /// `out += Σ p v` over `positions` of a block, `N` queries at a time.
    #[inline(always)]
    fn weigh<I: Isa, const N: usize>(
        self,
        isa: I,
        shape: &AttentionShape,
        (places, block): (&Places, usize),
        probs: &[[f32; TILE]; N],
        positions: Range<usize>,
        out: &mut [f32],
    ) {
        if positions.is_empty() {
            return;
        }
        let (stride, len) = (stride(shape), head_block_len(shape));
        let place = places.here[block] * len;
        let task = Values {
            values: &self.values[place..][..len],
            keys: self.keys,
            ahead: places.next[block] * len,
            stride,
            at: block * BLOCK_TOKENS,
            positions,
        };
        let count = stride / LANES;
        let mut d = 0;
        while d < count {
            d += if I::WIDE_TILES && count - d >= 4 {
                task.vectors::<I, 4, N>(isa, d, probs, out)
            } else if count - d >= 2 {
                task.vectors::<I, 2, N>(isa, d, probs, out)
            } else {
                task.vectors::<I, 1, N>(isa, d, probs, out)
            };
        }
    }
}

struct Scores<'a> {
    shape: &'a AttentionShape,
    keys: &'a [[[u16; LANES]; VECTORS]],
    /// `[queries][head_dim]`.
    q: &'a [f32],
    values: &'a [u16],
    place: usize,
    at: usize,
}

impl Scores<'_> {
    /// Scores of `M` vectors of positions from `first` on.
    #[inline(always)]
    fn vectors<I: Isa, const M: usize, const N: usize>(
        &self,
        isa: I,
        first: usize,
        scores: &mut [[f32; TILE]; N],
    ) {
        let mut acc = [[isa.splat(0.0); N]; M];
        let mut q: [&[f32]; N] = [&[]; N];
        for n in 0..N {
            q[n] = &self.q[n * self.keys.len()..][..self.keys.len()];
        }
        for (d, keys) in self.keys.iter().enumerate() {
            isa.prefetch(self.values, self.place + d * BLOCK_TOKENS);
            isa.prefetch(
                self.values,
                self.place + d * BLOCK_TOKENS + BLOCK_TOKENS / 2,
            );
            for m in 0..M {
                let key = isa.load_f16(&keys[first + m]);
                for n in 0..N {
                    acc[m][n] = isa.mul_add(key, isa.splat(q[n][d]), acc[m][n]);
                }
            }
        }
        for m in 0..M {
            for n in 0..N {
                let at = self.at + (first + m) * LANES;
                let out = scores[n][at..].first_chunk_mut().expect("a vector");
                isa.store(apply_cap(isa, self.shape, acc[m][n]), out);
            }
        }
    }
}

struct Values<'a> {
    values: &'a [u16],
    keys: &'a [u16],
    /// Where the keys are that will be wanted next.
    ahead: usize,
    stride: usize,
    at: usize,
    positions: Range<usize>,
}

impl Values<'_> {
    /// `M` vectors of elements from `first` on; returns `M`.
    #[inline(always)]
    fn vectors<I: Isa, const M: usize, const N: usize>(
        &self,
        isa: I,
        first: usize,
        probs: &[[f32; TILE]; N],
        out: &mut [f32],
    ) -> usize {
        let out = out.as_chunks_mut::<LANES>().0;
        let per_query = self.stride / LANES;
        let mut acc = [[isa.splat(0.0); N]; M];
        for n in 0..N {
            for m in 0..M {
                acc[m][n] = isa.load(&out[n * per_query + first + m]);
            }
        }
        let mut p: [&[f32; BLOCK_TOKENS]; N] = [&[0.0; BLOCK_TOKENS]; N];
        for n in 0..N {
            p[n] = probs[n][self.at..].first_chunk().expect("a block");
        }
        let (values, end) = (self.values.as_chunks::<LANES>().0, self.positions.end);
        assert!(end <= BLOCK_TOKENS, "positions are of the block");
        let mut i = self.positions.start;
        while i < end {
            let row = i * per_query + first;
            let row: &[[u16; LANES]; M] = values[row..].first_chunk().expect("M vectors");
            let ahead = self.ahead + i * self.stride + first * LANES;
            isa.prefetch(self.keys, ahead);
            if M > 2 {
                isa.prefetch(self.keys, ahead + 2 * LANES);
            }
            for m in 0..M {
                let value = isa.load_f16(&row[m]);
                for n in 0..N {
                    acc[m][n] = isa.mul_add(value, isa.splat(p[n][i]), acc[m][n]);
                }
            }
            i += 1;
        }
        for n in 0..N {
            for m in 0..M {
                isa.store(acc[m][n], &mut out[n * per_query + first + m]);
            }
        }
        M
    }
}
