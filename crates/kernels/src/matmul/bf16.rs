//! Activations in bf16, two in a number, for weights in bf16.

use crate::Context;
use crate::isa::{Isa, LANES, Op, dispatch};

/// Activations of a vector.
const STEP: usize = 2 * LANES;

/// A matrix `[m, k]`; a row is padded with zeros to whole vectors.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) m: usize,
    pub(super) k: usize,
    words: Vec<i32>,
}

/// Numbers of a row.
fn row_len(k: usize) -> usize {
    k.div_ceil(STEP) * LANES
}

impl Rows {
    /// Room for `max_tokens` rows of up to `max_k`.
    pub(super) fn new(max_tokens: usize, max_k: usize) -> Self {
        Self {
            words: Vec::with_capacity(max_tokens * row_len(max_k)),
            ..Self::default()
        }
    }

    /// Bytes that [`Rows::new`] takes.
    pub(super) fn size_bytes(max_tokens: usize, max_k: usize) -> usize {
        max_tokens * row_len(max_k) * size_of::<i32>()
    }

    #[inline(always)]
    pub(super) fn row(&self, row: usize) -> &[i32] {
        let len = row_len(self.k);
        &self.words[row * len..][..len]
    }

    /// Takes `x` `[m, k]`.
    pub(super) fn fill(&mut self, context: &Context, x: &[f32], k: usize) {
        assert!(k > 0 && x.len().is_multiple_of(k), "x is [m, k]");
        (self.m, self.k) = (x.len() / k, k);
        let (len, num_words) = (row_len(k), self.m * row_len(k));
        // Capacity was reserved at load; what is there is overwritten, so it only ever grows.
        if self.words.len() < num_words {
            self.words.resize(num_words, 0);
        }
        let rows = self.words[..num_words].chunks_exact_mut(len);
        let jobs = x
            .chunks_exact(k)
            .zip(rows)
            .map(|(x, words)| Round { x, words });
        if self.m == 1 {
            jobs.for_each(|job| dispatch(context.level, job));
        } else {
            context
                .pool
                .each(jobs, |job, _| dispatch(context.level, job));
        }
    }
}

/// One row, rounded to nearest, ties to even.
struct Round<'a> {
    x: &'a [f32],
    words: &'a mut [i32],
}

impl Op for Round<'_> {
    type Output = ();

    // Plain code, which compilers make vectors of.
    #[inline(always)]
    fn eval<I: Isa>(self, _: I) {
        let (pairs, rest) = self.x.as_chunks::<2>();
        let (whole, padding) = self.words.split_at_mut(pairs.len());
        for (&[low, high], word) in pairs.iter().zip(whole) {
            *word = pair(low, high);
        }
        padding.fill(0);
        if let [last] = *rest {
            padding[0] = pair(last, 0.0);
        }
    }
}

#[inline(always)]
fn pair(low: f32, high: f32) -> i32 {
    (round(low) >> 16 | round(high) & !0xffff) as i32
}

/// bf16 in the upper half; what lies below is left over.
#[inline(always)]
fn round(x: f32) -> u32 {
    let bits = x.to_bits();
    bits.wrapping_add(0x7fff + (bits >> 16 & 1))
}
