//! Activations in the forms that weights want them: int8 blocks with f32 scales, and their sums.
//!
//! As in ggml, formats of 32 weights take a scale per 32 activations and formats of 256 weights one per
//! 256. Unlike ggml, scales stay f32. `q = round(x / d)` to even, `d = max|x| / 127`.

use crate::Context;
use crate::isa::{Isa, Op, dispatch};

/// The form of activations a kernel takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XKind {
    /// f32 as they are.
    F32,
    /// int8 with a scale per 32.
    Per32,
    /// int8 with a scale per 256.
    Per256,
}

/// Int8 forms of a matrix `[m, k]`, in buffers made at load.
pub struct Activations {
    per32: Int8,
    per256: Int8,
}

/// One int8 form. Rows are padded with zeros to whole chunks of 64.
#[derive(Default)]
pub(super) struct Int8 {
    m: usize,
    k: usize,
    padded: usize,
    x_block: usize,
    qs: Vec<[i8; 4]>,
    d: Vec<f32>,
    sums16: Vec<f32>,
    sums32: Vec<f32>,
}

/// One token of an int8 form.
#[derive(Clone, Copy)]
pub(super) struct XRow<'a> {
    /// int8 values, four at a time.
    pub(super) qs: &'a [[i8; 4]],
    /// Scales, one per x block.
    pub(super) d: &'a [f32],
    /// Sums of `qs` over groups of the weight format's size; whole numbers.
    pub(super) sums: &'a [f32],
}

impl Activations {
    /// Room for `max_tokens` rows of up to `max_k`.
    pub fn new(max_tokens: usize, max_k: usize) -> Self {
        let new = |x_block: usize| {
            let padded = max_k.next_multiple_of(64);
            Int8 {
                x_block,
                qs: Vec::with_capacity(max_tokens * padded / 4),
                d: Vec::with_capacity(max_tokens * padded.div_ceil(x_block)),
                sums16: Vec::with_capacity(max_tokens * padded / 16),
                sums32: Vec::with_capacity(max_tokens * padded / 32),
                ..Int8::default()
            }
        };
        Self {
            per32: new(32),
            per256: new(256),
        }
    }

    /// Bytes that [`Activations::new`] takes.
    pub fn size_bytes(max_tokens: usize, max_k: usize) -> usize {
        let padded = max_k.next_multiple_of(64);
        2 * max_tokens * (padded + padded / 4 + padded / 8)
            + max_tokens * (padded / 8 + padded / 64)
    }

    /// Brings `x` `[m, k]` into each of the forms `kinds`; forms not named are gone.
    ///
    /// # Panics
    /// If `x` is no whole rows, or `k` does not suit a form (a multiple of 32 or 256).
    pub fn quantize(
        &mut self,
        context: &Context,
        x: &[f32],
        k: usize,
        kinds: impl Iterator<Item = XKind>,
    ) {
        (self.per32.m, self.per256.m) = (0, 0);
        for kind in kinds {
            let form = match kind {
                XKind::F32 => continue,
                XKind::Per32 => &mut self.per32,
                XKind::Per256 => &mut self.per256,
            };
            if form.m == 0 {
                form.fill(context, x, k);
            }
        }
    }

    pub(super) fn form(&self, kind: XKind) -> &Int8 {
        if kind == XKind::Per32 {
            &self.per32
        } else {
            &self.per256
        }
    }

    pub(super) fn assert_holds(&self, kind: XKind, m: usize, k: usize) {
        if kind != XKind::F32 {
            let form = self.form(kind);
            assert_eq!((form.m, form.k), (m, k), "activations hold x as {kind:?}");
        }
    }
}

impl Int8 {
    #[inline(always)]
    pub(super) fn row(&self, m: usize, group: usize) -> XRow<'_> {
        let (padded, blocks) = (self.padded, self.padded.div_ceil(self.x_block));
        let sums = if group == 16 {
            &self.sums16
        } else {
            &self.sums32
        };
        XRow {
            qs: &self.qs[m * padded / 4..][..padded / 4],
            d: &self.d[m * blocks..][..blocks],
            sums: &sums[m * padded / group..][..padded / group],
        }
    }

    fn fill(&mut self, context: &Context, x: &[f32], k: usize) {
        assert!(k > 0 && x.len().is_multiple_of(k), "x is [m, k]");
        assert_eq!(k % self.x_block, 0, "k is whole blocks of {}", self.x_block);
        (self.m, self.k, self.padded) = (x.len() / k, k, k.next_multiple_of(64));
        let blocks = self.padded.div_ceil(self.x_block);
        // Lengths only: capacity was reserved at load. Padding must be zero, so zeros first.
        fn zero<T: Clone>(values: &mut Vec<T>, len: usize, zero: T) {
            values.clear();
            values.resize(len, zero);
        }
        zero(&mut self.qs, self.m * self.padded / 4, [0; 4]);
        zero(&mut self.d, self.m * blocks, 0.0);
        zero(&mut self.sums16, self.m * self.padded / 16, 0.0);
        zero(&mut self.sums32, self.m * self.padded / 32, 0.0);
        let rows = x
            .chunks_exact(k)
            .zip(self.qs.chunks_exact_mut(self.padded / 4))
            .zip(self.d.chunks_exact_mut(blocks))
            .zip(self.sums16.chunks_exact_mut(self.padded / 16))
            .zip(self.sums32.chunks_exact_mut(self.padded / 32))
            .map(|((((x, qs), d), sums16), sums32)| QuantizeRow {
                x_block: self.x_block,
                x,
                qs,
                d,
                sums16,
                sums32,
            });
        if self.m == 1 {
            rows.for_each(|row| dispatch(context.level, row));
        } else {
            context
                .pool
                .each(rows, |row, _| dispatch(context.level, row));
        }
    }
}

struct QuantizeRow<'a> {
    x_block: usize,
    x: &'a [f32],
    qs: &'a mut [[i8; 4]],
    d: &'a mut [f32],
    sums16: &'a mut [f32],
    sums32: &'a mut [f32],
}

impl Op for QuantizeRow<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let sixteens = self.x.as_chunks::<16>().0;
        let per_block = self.x_block / 16;
        let targets = self.qs.as_flattened_mut().as_chunks_mut::<16>().0;
        for (b, block) in sixteens.chunks_exact(per_block).enumerate() {
            let mut largest = isa.splat(0.0);
            for x in block {
                largest = isa.max(isa.abs(isa.load(x)), largest);
            }
            let d = isa.max_lane(largest) / 127.0;
            let inverse = 1.0 / d;
            if !inverse.is_finite() {
                continue; // all zero, or too small for a scale: stays zero
            }
            self.d[b] = d;
            let inverse = isa.splat(inverse);
            for (i, x) in block.iter().enumerate() {
                let at = b * per_block + i;
                isa.store_i8(isa.mul(isa.load(x), inverse), &mut targets[at]);
                self.sums16[at] = targets[at].iter().map(|&q| i32::from(q)).sum::<i32>() as f32;
            }
        }
        for (sum, pair) in self.sums32.iter_mut().zip(self.sums16.as_chunks::<2>().0) {
            *sum = pair[0] + pair[1];
        }
    }
}
