//! Puts keys and values of a batch where their tokens stand.

use super::cache::{KvData, KvLayer, KvType, head_block_len, stride};
use super::{AttentionShape, BLOCK_TOKENS, BatchView, anchor, rotate};
use crate::Context;
use crate::isa::{Isa, LANES, Op, dispatch};
use crate::matmul::lock;
use crate::vector::padded;

/// Stores keys and values `[n_tokens, n_kv_heads, head_dim]` of a batch at their tokens' places.
///
/// # Panics
/// If a position has no block or a shape does not fit: the engine allocates before it schedules.
pub fn store_kv(
    context: &Context,
    shape: &AttentionShape,
    batch: BatchView<'_>,
    (k, v): (&[f32], &[f32]),
    layer: &mut KvLayer,
) {
    let mut scratch = lock(&context.scratch[0]);
    let row = &mut scratch.attention.row;
    let op = Store {
        shape,
        batch,
        k,
        v,
        layer,
        row,
    };
    dispatch(context.level, op);
}

struct Store<'a> {
    shape: &'a AttentionShape,
    batch: BatchView<'a>,
    k: &'a [f32],
    v: &'a [f32],
    layer: &'a mut KvLayer,
    /// Room for a rotated head.
    row: &'a mut [f32],
}

impl Op for Store<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let (dim, heads) = (self.shape.head_dim, self.shape.n_kv_heads);
        let width = heads * dim;
        let len = head_block_len(self.shape);
        let tokens = self.k.chunks_exact(width).zip(self.v.chunks_exact(width));
        for (i, (k, v)) in tokens.enumerate() {
            let position = self.batch.positions[i] as usize;
            let sequence = self.batch.sequences[i];
            let block = self.batch.block(sequence, position / BLOCK_TOKENS);
            let at = position % BLOCK_TOKENS;
            for head in 0..heads {
                let (k, v) = (&k[head * dim..][..dim], &v[head * dim..][..dim]);
                let (index, row) = (block * heads + head, &mut *self.row);
                match &mut self.layer.data {
                    KvData::F16 { keys, values } => {
                        let stride = stride(self.shape);
                        f16_keys(isa, k, at, &mut keys[index * len..][..len]);
                        f16_values(isa, v, &mut values[index * len + at * stride..][..stride]);
                    }
                    KvData::Int {
                        kv_type,
                        keys,
                        values,
                        key_scales,
                        value_scales,
                        anchors,
                    } => {
                        let place = index * BLOCK_TOKENS + at;
                        let (row, stride) = (&mut *row, stride(self.shape));
                        if *kv_type == KvType::Q4 {
                            let len = len / 2;
                            let keys = &mut keys[index * len..][..len];
                            let anchor = &mut anchors[index * stride..][..stride];
                            if at == 0 {
                                anchor::set(k, row, anchor);
                            }
                            let row = &mut row[..stride];
                            anchor::subtract(isa, k, anchor, row);
                            rotate::rotate(isa, row, rotate::size(dim));
                            key_scales[place] = int_keys::<I, 2>(isa, row, at, keys);
                            let values = &mut values[index * len..][..len];
                            let row = rotated(isa, v, row);
                            value_scales[place] = int_values::<I, 2>(isa, row, at, values);
                        } else {
                            let keys = &mut keys[index * len..][..len];
                            let k = rotated(isa, k, row);
                            key_scales[place] = int_keys::<I, 1>(isa, k, at, keys);
                            let values = &mut values[index * len..][..len];
                            let v = rotated(isa, v, row);
                            value_scales[place] = int_values::<I, 1>(isa, v, at, values);
                        }
                    }
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

#[inline(always)]
fn f16_keys<I: Isa>(isa: I, k: &[f32], at: usize, keys: &mut [u16]) {
    for (k, rows) in k.chunks(LANES).zip(keys.chunks_mut(LANES * BLOCK_TOKENS)) {
        let halves = halves(isa, k);
        let rows = rows.as_chunks_mut::<BLOCK_TOKENS>().0;
        for (key, row) in halves[..k.len()].iter().zip(rows) {
            row[at] = *key;
        }
    }
}

#[inline(always)]
fn f16_values<I: Isa>(isa: I, v: &[f32], values: &mut [u16]) {
    for (v, values) in v.chunks(LANES).zip(values.as_chunks_mut::<LANES>().0) {
        *values = halves(isa, v);
    }
}

/// Largest number of which `P` fit a byte.
const fn most(per_byte: usize) -> f32 {
    if per_byte == 2 { 7.0 } else { 127.0 }
}

/// Puts a number, 128 or 8 being added to it, into a byte that has `P` of them.
#[inline(always)]
fn put<const P: usize>(byte: &mut u8, number: u8, place: usize) {
    if P == 2 {
        let shift = 4 * place;
        *byte = *byte & !(15 << shift) | (number.wrapping_add(8) & 15) << shift;
    } else {
        *byte = number;
    }
}

/// Quantises a head, rotated, into the place of position `at`, and returns its scale.
#[inline(always)]
fn int_keys<I: Isa, const P: usize>(isa: I, k: &[f32], at: usize, keys: &mut [u8]) -> f32 {
    let (scale, inverse) = steps::<I, P>(isa, k);
    let keys = keys.as_chunks_mut::<4>().0;
    for (i, k) in k.as_chunks::<LANES>().0.iter().enumerate() {
        let bias = if P == 2 { 0 } else { 128 };
        let bytes = int8(isa, k, inverse, most(P)).map(|byte| byte as u8 ^ bias);
        for (j, four) in bytes.as_chunks::<4>().0.iter().enumerate() {
            let group = 4 * i + j;
            let place = &mut keys[group / P * BLOCK_TOKENS + at];
            for (key, &byte) in place.iter_mut().zip(four) {
                put::<P>(key, byte, group % P);
            }
        }
    }
    scale
}

/// As [`int_keys`].
#[inline(always)]
fn int_values<I: Isa, const P: usize>(isa: I, v: &[f32], at: usize, values: &mut [u8]) -> f32 {
    let (scale, inverse) = steps::<I, P>(isa, v);
    let vectors = values.chunks_mut(LANES * BLOCK_TOKENS / P);
    let group = at / 4;
    for (v, vector) in v.as_chunks::<LANES>().0.iter().zip(vectors) {
        let bytes = int8(isa, v, inverse, most(P));
        let fours = vector[group / P * 4 * LANES..].as_chunks_mut::<4>().0;
        for (byte, four) in bytes.iter().zip(fours) {
            put::<P>(&mut four[at % 4], *byte as u8, group % P);
        }
    }
    scale
}

/// The step between numbers of which `P` fit a byte, and its inverse. Of four bits it is the one of the least squared
/// error among ten, the largest of which has no number beyond the range: a few may lie outside if the others gain.
#[inline(always)]
fn steps<I: Isa, const P: usize>(isa: I, x: &[f32]) -> (f32, f32) {
    let (scale, inverse) = int_scale(isa, x, most(P));
    let mut best = (scale, inverse);
    if P == 2 {
        let mut least = f32::INFINITY;
        for i in 0..10 {
            let part = 1.0 - 0.05 * i as f32;
            let (scale, inverse) = (scale * part, inverse / part);
            let mut error = isa.splat(0.0);
            for x in x.as_chunks::<LANES>().0 {
                let x = isa.load(x);
                let number = isa.round(within(isa, isa.mul(x, isa.splat(inverse)), most(P)));
                let off = isa.sub(x, isa.mul(number, isa.splat(scale)));
                error = isa.mul_add(off, off, error);
            }
            let error = isa.sum(error);
            if error < least {
                (least, best) = (error, (scale, inverse));
            }
        }
    }
    best
}

/// `x` rotated, in `row`, with zeros up to whole vectors.
#[inline(always)]
pub(super) fn rotated<'a, I: Isa>(isa: I, x: &[f32], row: &'a mut [f32]) -> &'a mut [f32] {
    let row = &mut row[..x.len().next_multiple_of(LANES)];
    row[..x.len()].copy_from_slice(x);
    row[x.len()..].fill(0.0);
    rotate::rotate(isa, row, rotate::size(x.len()));
    row
}

/// `max|x| / most` and what to multiply with; 0 for a row of zeros.
#[inline(always)]
pub(super) fn int_scale<I: Isa>(isa: I, x: &[f32], most: f32) -> (f32, f32) {
    let mut max = isa.splat(0.0);
    for x in x.as_chunks::<LANES>().0 {
        max = isa.max(max, isa.abs(isa.load(x)));
    }
    let max = isa.max_lane(max);
    // Below this the inverse would not be finite, and nothing of the row matters.
    if max > 1e-30 {
        (max / most, most / max)
    } else {
        (0.0, 0.0)
    }
}

#[inline(always)]
pub(super) fn int8<I: Isa>(isa: I, x: &[f32; LANES], inverse: f32, most: f32) -> [i8; LANES] {
    let mut bytes = [0; LANES];
    let steps = isa.mul(isa.load(x), isa.splat(inverse));
    let steps = isa.to_i32(within(isa, steps, most));
    isa.store_low(steps, &mut bytes);
    bytes.map(|byte| byte as i8)
}

/// `x` cut off at `most` to either side.
#[inline(always)]
fn within<I: Isa>(isa: I, x: I::F32, most: f32) -> I::F32 {
    isa.max(isa.min(x, isa.splat(most)), isa.splat(-most))
}
