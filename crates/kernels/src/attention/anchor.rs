//! What keys of four bits are differences from.
//!
//! Some models' keys have elements so large, and so nearly the same at every position, that four bits would hold
//! nothing else, rotated or not: biases of Qwen 2.5's keys come to 350 where the rest is about 1, in elements that
//! RoPE hardly turns. So of each KV block's first key the few elements far above the others are kept as they are,
//! the block's *anchor*, and its keys are stored without them; their part of a score, `q · anchor`, is the same for
//! the whole block. Only a block's first position decides, so the bits depend on no chunk and no neighbour.
//! (Differences from a mean, as in KIVI, Liu et al. 2024, arXiv:2402.02750, would change as positions come.)

use crate::isa::{Isa, LANES};
use crate::vector::padded;

/// How many times the median an element must be. Normal numbers are so one time in 140: there an anchor would only
/// add what it takes away, as the other keys do not have it.
const FAR: f32 = 4.0;

/// Makes `anchor`, whole vectors, that of a block whose first key is `key`. `row` is room for as many elements.
pub(super) fn set(key: &[f32], row: &mut [f32], anchor: &mut [f32]) {
    let sizes = &mut row[..key.len()];
    for (size, x) in sizes.iter_mut().zip(key) {
        *size = x.abs();
    }
    let (_, median, _) = sizes.select_nth_unstable_by(key.len() / 2, f32::total_cmp);
    let least = FAR * *median;
    anchor.fill(0.0);
    for (anchor, &x) in anchor.iter_mut().zip(key) {
        if x.is_finite() && x.abs() > least {
            *anchor = x;
        }
    }
}

/// `row = key - anchor`.
#[inline(always)]
pub(super) fn subtract<I: Isa>(isa: I, key: &[f32], anchor: &[f32], row: &mut [f32]) {
    let anchor = anchor.as_chunks::<LANES>().0;
    let rows = row.as_chunks_mut::<LANES>().0;
    for ((k, anchor), row) in key.chunks(LANES).zip(anchor).zip(rows) {
        isa.store(isa.sub(isa.load(&padded(k)), isa.load(anchor)), row);
    }
}

/// `q · anchor`, of whole vectors.
#[inline(always)]
pub(super) fn dot<I: Isa>(isa: I, q: &[f32], anchor: &[f32]) -> f32 {
    let mut sum = isa.splat(0.0);
    let anchor = anchor.as_chunks::<LANES>().0;
    for (q, anchor) in q.as_chunks::<LANES>().0.iter().zip(anchor) {
        sum = isa.mul_add(isa.load(q), isa.load(anchor), sum);
    }
    isa.sum(sum)
}
