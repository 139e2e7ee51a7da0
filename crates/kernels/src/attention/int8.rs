//! Integers of 8 or 4 bits as keys and values: sums of a tile are exact, whatever takes them.
//!
//! ```text
//! score[pos]  = factor * key_scale[pos] * Σ q[d] * key[d][pos] + anchored      q quantised per head
//! weight[pos] = exp2(score[pos] - max) * value_scale[pos]
//! P[pos]      = round(weight[pos] * 127 / top)      top = the KV block's largest weight
//! out[d]      = Σ_block top / 127 * Σ P[pos] * value[pos][d]
//! ```
//!
//! With 7 bits of `P` the int8 product of AVX2, which saturates, is exact too. A scale for each KV block keeps small
//! weights from being lost beside a large one of another; 8 and 14 bits were no nearer to f16 (docs/performance.md).
//! Of four bits a byte holds two numbers, `P` of them in the code below, which are taken apart as they are loaded;
//! queries have 8 bits in any case.
//! `anchored` is what a block's anchor adds (`anchor.rs`), of four bits alone.

use std::ops::Range;

use super::cache::stride;
use super::queries::{MAX_QUERIES, Queries};
use super::store::{int_scale, int8, rotated};
use super::tile::{Fold, Places, TILE, TILE_BLOCKS, View, Work, apply_cap, peak, query_len};
use super::{AttentionShape, BLOCK_TOKENS, anchor, rotate};
use crate::isa::{Isa, LANES};
use crate::vector::exp2;

/// Vectors of positions in a block.
const VECTORS: usize = BLOCK_TOKENS / LANES;
/// The largest of the integers that weights become.
const P_MAX: f32 = 127.0;

/// A layer's keys and values, `P` of them in a byte.
#[derive(Clone, Copy)]
pub(super) struct Int8<'a, const P: usize> {
    keys: &'a [u8],
    values: &'a [u8],
    key_scales: &'a [f32],
    value_scales: &'a [f32],
    anchors: &'a [f32],
    /// Bytes that one head has in a block, of keys or of values.
    len: usize,
}

impl<'a, const P: usize> Int8<'a, P> {
    /// Keys and values, the scales of either, and anchors.
    pub(super) fn new(
        (keys, values): (&'a [u8], &'a [u8]),
        (key_scales, value_scales): (&'a [f32], &'a [f32]),
        anchors: &'a [f32],
    ) -> Self {
        Self {
            keys,
            values,
            key_scales,
            value_scales,
            anchors,
            len: keys.len() / (key_scales.len() / BLOCK_TOKENS).max(1),
        }
    }
}

/// The numbers in 64 bytes.
#[inline(always)]
fn codes<I: Isa, const P: usize>(isa: I, bytes: &[u8; 64]) -> [I::B64; P] {
    let bytes = isa.load_codes(bytes);
    let mut codes = [bytes; P];
    if P == 2 {
        codes[0] = isa.and(bytes, isa.splat8(15));
        codes[1] = isa.shr8::<4>(bytes);
    }
    codes
}

impl<const P: usize> View for Int8<'_, P> {
    #[inline(always)]
    fn pack<I: Isa>(
        isa: I,
        shape: &AttentionShape,
        q: &[f32],
        (start, len, j): (usize, usize, usize),
        queries: &mut Queries,
    ) {
        let (stride, dim) = (stride(shape), shape.head_dim);
        let (plain, room) = queries.floats.split_at_mut(MAX_QUERIES * stride);
        if P == 2 {
            let plain = &mut plain[(start + j) * stride..][..stride];
            plain[..dim].copy_from_slice(q);
            plain[dim..].fill(0.0);
        }
        let row = rotated(isa, q, room);
        let (scale, inverse) = int_scale(isa, row, 127.0);
        let size = rotate::size(dim) as f32;
        queries.factors[start + j] = super::tile::factor(shape) / size * scale;
        let packed = &mut queries.bytes[start * (stride / 4)..];
        let mut sum = 0;
        for (q, packed) in row
            .as_chunks::<LANES>()
            .0
            .iter()
            .zip(packed.chunks_mut(4 * len))
        {
            let bytes = int8(isa, q, inverse, 127.0);
            for (four, packed) in bytes.as_chunks::<4>().0.iter().zip(packed.chunks_mut(len)) {
                packed[j] = four.map(|byte| byte as u8);
            }
            for byte in bytes {
                sum += i32::from(byte);
            }
        }
        // Keys are stored with 128 or 8 added; see `Isa::WIDE_IS_SIGNED`.
        queries.offsets[start + j] = match P {
            2 => -8 * sum,
            _ if I::WIDE_IS_SIGNED => 0,
            _ => -128 * sum,
        };
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
        let (groups, len) = (stride(shape) / 4, self.len);
        let index = places.here[block];
        let keys = self.keys[index * len..][..len].as_chunks::<64>().0;
        let mut anchored = [0.0; N];
        if P == 2 {
            let stride = stride(shape);
            let anchor = &self.anchors[index * stride..][..stride];
            let plain = queries.floats[start * stride..].chunks_exact(stride);
            for (score, q) in anchored.iter_mut().zip(plain) {
                *score = super::tile::factor(shape) * anchor::dot(isa, q, anchor);
            }
        }
        let task = Scores::<P, N> {
            shape,
            keys: keys.as_chunks().0,
            q: queries.bytes[start * groups..][..N * groups]
                .as_chunks::<N>()
                .0,
            offsets: queries.offsets[start..].first_chunk().expect("N queries"),
            factors: queries.factors[start..].first_chunk().expect("N queries"),
            anchored,
            scales: self.key_scales[index * BLOCK_TOKENS..][..BLOCK_TOKENS]
                .as_chunks()
                .0
                .first_chunk()
                .expect("a block"),
            values: self.values,
            ahead: index * len,
            at: block * BLOCK_TOKENS,
        };
        if I::WIDE_TILES {
            task.vectors::<I, VECTORS>(isa, 0, scores);
        } else {
            task.vectors::<I, 2>(isa, 0, scores);
            task.vectors::<I, 2>(isa, 2, scores);
        }
    }

    #[inline(always)]
    fn softmax<I: Isa, const N: usize>(
        self,
        isa: I,
        work: &mut Work,
        n: usize,
        places: &Places,
        span: Range<usize>,
        valid: Range<usize>,
    ) -> (f32, f32) {
        let row = &mut work.scores[n];
        row[span.start..valid.start].fill(f32::NEG_INFINITY);
        row[valid.end..span.end].fill(f32::NEG_INFINITY);
        let max = peak(isa, row[span.clone()].as_chunks().0);
        let mut sum = isa.splat(0.0);
        for block in span.start / BLOCK_TOKENS..span.end / BLOCK_TOKENS {
            // The query's share of the values that `scores` has not asked for, every second line.
            let lines = self.len / 128;
            for line in lines * n / N..lines * (n + 1) / N {
                let at = places.here[block] * self.len;
                isa.prefetch(self.values, at + 128 * line + 64);
            }
            let first = block * BLOCK_TOKENS;
            let scales = &self.value_scales[places.here[block] * BLOCK_TOKENS..];
            let mut scales = scales.first_chunk().expect("a block");
            // Scales of positions that were never written may be anything.
            let mut known = [0.0; BLOCK_TOKENS];
            let inside = |at: usize| at.clamp(first, first + BLOCK_TOKENS) - first;
            let seen = inside(valid.start)..inside(valid.end);
            if seen.len() < BLOCK_TOKENS {
                known[seen.clone()].copy_from_slice(&scales[seen]);
                scales = &known;
            }
            let scores = row[first..].first_chunk().expect("a block");
            let probs = work.probs[n][first..].first_chunk_mut().expect("a block");
            let top;
            (top, sum) = weigh(isa, (scores, max), scales, sum, probs);
            work.tops[n][block] = top / P_MAX;
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
        let len = query_len(shape);
        let mut weights = [[0.0; TILE_BLOCKS]; N];
        for n in 0..N {
            if folds[n].valid.is_empty() {
                continue;
            }
            for block in blocks.clone() {
                weights[n][block] = folds[n].weight * work.tops[n][block];
            }
            if folds[n].decay != 1.0 {
                let decay = isa.splat(folds[n].decay);
                let state = state[n * len..][..stride(shape)].as_chunks_mut::<LANES>().0;
                for state in state {
                    isa.store(isa.mul(isa.load(state), decay), state);
                }
            }
        }
        let task = Values::<P, N> {
            view: self,
            places,
            blocks,
            probs: work.probs.first_chunk().expect("N rows"),
            weights,
            query_len: len,
        };
        let count = stride(shape) / LANES;
        let mut d = 0;
        while d < count {
            d += if I::WIDE_TILES && count - d >= 4 {
                task.vectors::<I, 4>(isa, d, state)
            } else if count - d >= 2 {
                task.vectors::<I, 2>(isa, d, state)
            } else {
                task.vectors::<I, 1>(isa, d, state)
            };
        }
    }

    #[inline(always)]
    fn finish<I: Isa>(isa: I, shape: &AttentionShape, out: &mut [f32]) -> f32 {
        let size = rotate::size(shape.head_dim);
        rotate::rotate(isa, out, size);
        1.0 / size as f32
    }
}

struct Scores<'a, const P: usize, const N: usize> {
    shape: &'a AttentionShape,
    keys: &'a [[[u8; 64]; VECTORS]],
    q: &'a [[[u8; 4]; N]],
    offsets: &'a [i32; N],
    factors: &'a [f32; N],
    /// What the block's anchor adds to scores.
    anchored: [f32; N],
    scales: &'a [[f32; LANES]; VECTORS],
    values: &'a [u8],
    ahead: usize,
    at: usize,
}

impl<const P: usize, const N: usize> Scores<'_, P, N> {
    /// Scores of `M` vectors of positions from `first` on.
    #[inline(always)]
    fn vectors<I: Isa, const M: usize>(&self, isa: I, first: usize, scores: &mut [[f32; TILE]; N]) {
        let mut acc = [[isa.zero(); N]; M];
        for m in 0..M {
            for n in 0..N {
                acc[m][n] = isa.splat_i32(self.offsets[n]);
            }
        }
        for (g, (keys, q)) in self.keys.iter().zip(self.q.as_chunks::<P>().0).enumerate() {
            for m in 0..M {
                // Memory has as long as all of a tile takes: these are half of its values, `softmax` asks for the others.
                if m % 2 == 0 {
                    isa.prefetch(self.values, self.ahead + (g * VECTORS + first + m) * 64);
                }
                let key: [I::B64; P] = codes(isa, &keys[first + m]);
                for p in 0..P {
                    for n in 0..N {
                        let q = isa.as_bytes(isa.splat_i32(i32::from_le_bytes(q[p][n])));
                        acc[m][n] = match P {
                            2 => isa.dot_four::<15>(acc[m][n], key[p], q),
                            _ => isa.dot_four::<255>(acc[m][n], key[p], q),
                        };
                    }
                }
            }
        }
        for m in 0..M {
            let scale = isa.load(&self.scales[first + m]);
            for n in 0..N {
                let score = isa.mul(isa.to_f32(acc[m][n]), scale);
                let factor = isa.splat(self.factors[n]);
                let score = match P {
                    2 => isa.mul_add(score, factor, isa.splat(self.anchored[n])),
                    _ => isa.mul(score, factor),
                };
                let at = self.at + (first + m) * LANES;
                let out = scores[n][at..].first_chunk_mut().expect("a vector");
                isa.store(apply_cap(isa, self.shape, score), out);
            }
        }
    }
}

/// Weights of a block's values for one query, of scores, the largest of the tile, and scales: their largest, and they
/// themselves as parts of it. Adds to `sum` what they are without scales.
#[inline(always)]
fn weigh<I: Isa>(
    isa: I,
    (scores, max): (&[f32; BLOCK_TOKENS], f32),
    scales: &[f32; BLOCK_TOKENS],
    mut sum: I::F32,
    probs: &mut [u8; BLOCK_TOKENS],
) -> (f32, I::F32) {
    let max = isa.splat(max);
    let (mut weights, mut top) = ([isa.splat(0.0); VECTORS], isa.splat(0.0));
    let places = scores.as_chunks().0.iter().zip(scales.as_chunks().0);
    for (weight, (score, scale)) in weights.iter_mut().zip(places) {
        let prob = exp2(isa, isa.sub(isa.load(score), max));
        sum = isa.add(sum, prob);
        *weight = isa.mul(prob, isa.load(scale));
        top = isa.max(*weight, top);
    }
    let top = isa.max_lane(top);
    let factor = isa.splat(if top > 0.0 { P_MAX / top } else { 0.0 });
    for (weight, probs) in weights.iter().zip(probs.as_chunks_mut().0) {
        isa.store_low(isa.to_i32(isa.mul(*weight, factor)), probs);
    }
    (top, sum)
}

struct Values<'a, const P: usize, const N: usize> {
    view: Int8<'a, P>,
    places: &'a Places,
    blocks: Range<usize>,
    probs: &'a [[u8; TILE]; N],
    /// What one unit of each block's `P` weighs.
    weights: [[f32; TILE_BLOCKS]; N],
    query_len: usize,
}

impl<const P: usize, const N: usize> Values<'_, P, N> {
    /// `M` vectors of elements from `first` on; returns `M`. Asks for the next keys.
    #[inline(always)]
    fn vectors<I: Isa, const M: usize>(&self, isa: I, first: usize, state: &mut [f32]) -> usize {
        for block in self.blocks.clone() {
            let len = self.view.len;
            let values = &self.view.values[self.places.here[block] * len..][..len];
            // Of each vector of elements, groups of `4 P` positions.
            let groups = LANES / P;
            let values = &values.as_chunks::<64>().0[first * groups..][..M * groups];
            let ahead = self.places.next[block] * len + first * groups * 64;
            let mut p: [&[[u8; 4]; LANES]; N] = [&[[0; 4]; LANES]; N];
            for n in 0..N {
                let fours = self.probs[n].as_chunks::<4>().0.as_chunks::<LANES>().0;
                p[n] = &fours[block];
            }
            let mut acc = [[isa.zero(); N]; M];
            for g in 0..groups {
                for m in 0..M {
                    isa.prefetch(self.view.keys, ahead + (m * groups + g) * 64);
                    let value: [I::B64; P] = codes(isa, &values[m * groups + g]);
                    for h in 0..P {
                        let value = match P {
                            2 => isa.sub8(value[h], isa.splat8(8)),
                            _ => value[h],
                        };
                        for n in 0..N {
                            let p = i32::from_le_bytes(p[n][g * P + h]);
                            let p = isa.as_bytes(isa.splat_i32(p));
                            acc[m][n] = isa.dot_four::<127>(acc[m][n], p, value);
                        }
                    }
                }
            }
            for n in 0..N {
                // Nothing of the block is seen, or weighs something.
                if self.weights[n][block] == 0.0 {
                    continue;
                }
                let weight = isa.splat(self.weights[n][block]);
                let state = state[n * self.query_len..].as_chunks_mut::<LANES>().0;
                for m in 0..M {
                    let state = &mut state[first + m];
                    let sum = isa.mul_add(isa.to_f32(acc[m][n]), weight, isa.load(state));
                    isa.store(sum, state);
                }
            }
        }
        M
    }
}
