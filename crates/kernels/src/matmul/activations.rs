//! Activations in the forms that weights want them: int8 blocks with f32 scales, and their sums; or bf16.
//!
//! As in ggml, formats of 32 weights take a scale per 32 activations and formats of 256 weights one per
//! 256. Unlike ggml, scales stay f32. `q = round(x / d)` to even, `d = max|x| / 127`.

use super::{bf16, tiles};
use crate::Context;
use crate::isa::{Isa, LANES, Op, dispatch};
use crate::quant::STEP;

/// The form of activations a kernel takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XKind {
    /// f32 as they are.
    F32,
    /// bf16.
    Bf16,
    /// int8 with a scale per 32.
    Per32,
    /// int8 with a scale per 256.
    Per256,
}

/// Forms of a matrix `[m, k]`, in buffers made at load.
pub struct Activations {
    per32: Int8,
    per256: Int8,
    bf16: bf16::Rows,
}

/// A token's int8 values for one step of `k`, with everything that products need of them.
///
/// All of it lies together, and tokens of a step lie together, so that a product streams through it.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct XStep {
    /// int8 values, four in a number.
    pub(super) qs: [i32; STEP / 4],
    // What a format needs besides lies in one line or two.
    /// Scales: one for each 32, or one in the first place.
    pub(super) d: [f32; 8],
    /// Sums over neighbouring groups of 32 as two i16, low and high.
    pub(super) pairs32: [i32; 4],
    /// Minus the sum of `qs`.
    pub(super) minus256: i32,
    rest_of_line: [i32; 3],
    /// As `pairs32`, of 16.
    pub(super) pairs16: [i32; 8],
    /// Sums over 32 as floats.
    pub(super) sums32: [f32; 8],
    /// Minus the sums over 16.
    pub(super) minus16: [i32; 16],
    /// 32 times those: what the bias of Q6_K comes to. A vector of it is one load, where a product
    /// would be three instructions for each strip.
    pub(super) minus16x32: [i32; 16],
    /// Minus the sums over 32.
    pub(super) minus32: [i32; 8],
}

const ZERO: XStep = XStep {
    qs: [0; STEP / 4],
    d: [0.0; 8],
    pairs32: [0; 4],
    minus256: 0,
    rest_of_line: [0; 3],
    minus32: [0; 8],
    sums32: [0.0; 8],
    minus16: [0; 16],
    minus16x32: [0; 16],
    pairs16: [0; 8],
};

/// Tokens that a step has room for, so that a group of any size that registers hold may begin at any of `m`: what
/// is computed of those behind the last is not used.
pub(super) const fn padded(m: usize) -> usize {
    match m {
        1 => 1,
        ..tiles::MIN_TOKENS => m + 8 - 1,
        _ => m + LANES - 1,
    }
}

/// One int8 form: `[step][token]`. What lies beyond `k` in the last step is zero.
#[derive(Default)]
pub(super) struct Int8 {
    m: usize,
    k: usize,
    x_block: usize,
    steps: Vec<XStep>,
}

impl Activations {
    /// Room for `max_tokens` rows of up to `max_k`.
    pub fn new(max_tokens: usize, max_k: usize) -> Self {
        let new = |x_block: usize| Int8 {
            x_block,
            steps: Vec::with_capacity(padded(max_tokens) * max_k.div_ceil(STEP)),
            ..Int8::default()
        };
        Self {
            per32: new(32),
            per256: new(256),
            bf16: bf16::Rows::new(max_tokens, max_k),
        }
    }

    /// Bytes that [`Activations::new`] takes.
    pub fn size_bytes(max_tokens: usize, max_k: usize) -> usize {
        let int8 = padded(max_tokens) * max_k.div_ceil(STEP) * size_of::<XStep>();
        2 * int8 + bf16::Rows::size_bytes(max_tokens, max_k)
    }

    /// Brings `x` `[m, k]` into each of the forms `kinds`; forms not named are gone.
    ///
    /// # Panics
    /// If `x` is no whole rows, or `k` does not suit an int8 form (a multiple of 32 or 256).
    pub fn quantize(
        &mut self,
        context: &Context,
        x: &[f32],
        k: usize,
        kinds: impl Iterator<Item = XKind>,
    ) {
        (self.per32.m, self.per256.m, self.bf16.m) = (0, 0, 0);
        for kind in kinds {
            let form = match kind {
                XKind::F32 => continue,
                XKind::Bf16 => {
                    if self.bf16.m == 0 {
                        self.bf16.fill(context, x, k);
                    }
                    continue;
                }
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

    /// Row `row` in bf16.
    #[inline(always)]
    pub(super) fn bf16_row(&self, row: usize) -> &[i32] {
        self.bf16.row(row)
    }

    pub(super) fn assert_holds(&self, kind: XKind, m: usize, k: usize) {
        let held = match kind {
            XKind::F32 => return,
            XKind::Bf16 => (self.bf16.m, self.bf16.k),
            XKind::Per32 => (self.per32.m, self.per32.k),
            XKind::Per256 => (self.per256.m, self.per256.k),
        };
        assert_eq!(held, (m, k), "activations hold x as {kind:?}");
    }
}

impl Int8 {
    /// Step `step` of all tokens, and what they are padded with.
    #[inline(always)]
    pub(super) fn step(&self, step: usize) -> &[XStep] {
        let padded = padded(self.m);
        &self.steps[step * padded..][..padded]
    }

    fn fill(&mut self, context: &Context, x: &[f32], k: usize) {
        assert!(k > 0 && x.len().is_multiple_of(k), "x is [m, k]");
        assert_eq!(k % self.x_block, 0, "k is whole blocks of {}", self.x_block);
        (self.m, self.k) = (x.len() / k, k);
        // Capacity was reserved at load; what is there is overwritten, so it only ever grows.
        let num_steps = padded(self.m) * k.div_ceil(STEP);
        if self.steps.len() < num_steps {
            self.steps.resize(num_steps, ZERO);
        }
        let (m, x_block) = (self.m, self.x_block);
        let steps = self.steps[..num_steps].chunks_exact_mut(padded(m));
        let jobs = steps.enumerate().map(|(step, out)| QuantizeStep {
            x_block,
            x,
            k,
            step,
            out: &mut out[..m],
        });
        if m == 1 {
            jobs.for_each(|job| dispatch(context.level, job));
        } else {
            context
                .pool
                .each(jobs, |job, _| dispatch(context.level, job));
        }
    }
}

/// One step of all tokens.
struct QuantizeStep<'a> {
    x_block: usize,
    x: &'a [f32],
    k: usize,
    step: usize,
    out: &'a mut [XStep],
}

impl Op for QuantizeStep<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        if self.x_block == 32 {
            self.blocks::<I, 2>(isa);
        } else {
            self.blocks::<I, 16>(isa);
        }
    }
}

impl QuantizeStep<'_> {
    /// `SIXTEENS` of a block share a scale.
    #[inline(always)]
    fn blocks<I: Isa, const SIXTEENS: usize>(self, isa: I) {
        let first = self.step * STEP;
        let len = STEP.min(self.k - first);
        // What is beyond the end is zero.
        let mut short = [[0.0; 16]; STEP / 16];
        for (t, out) in self.out.iter_mut().enumerate() {
            let x = self.x[t * self.k + first..][..len].as_chunks::<16>().0;
            let x: &[[f32; 16]; STEP / 16] = match x.first_chunk() {
                Some(whole) => whole,
                None => {
                    short[..x.len()].copy_from_slice(x);
                    &short
                }
            };
            // Tokens lie far apart, and other cores have what they are read from and written to: ask for the next.
            let next = (t + 1) * self.k + first;
            for i in 0..len.div_ceil(LANES) {
                isa.prefetch(self.x, next + LANES * i);
            }
            let mut inverses = [0.0; STEP / 16];
            for b in 0..STEP / 16 / SIXTEENS {
                let mut largest = isa.splat(0.0);
                for i in b * SIXTEENS..(b + 1) * SIXTEENS {
                    largest = isa.max(isa.abs(isa.load(&x[i])), largest);
                }
                let d = isa.max_lane(largest) / 127.0;
                let inverse = 1.0 / d;
                // All zero, or too small for a scale: all zero.
                let (d, inverse) = if inverse.is_finite() {
                    (d, inverse)
                } else {
                    (0.0, 0.0)
                };
                out.d[b] = d;
                inverses[b] = inverse;
            }
            let mut whole = [isa.splat(0.0); STEP / 16];
            for i in 0..STEP / 16 {
                whole[i] = isa.mul(isa.load(&x[i]), isa.splat(inverses[i / SIXTEENS]));
            }
            let sums = isa.quantize(whole, &mut out.qs);
            out.set_sums(&sums);
        }
    }
}

impl XStep {
    /// Everything that follows from the sums over 16.
    #[inline(always)]
    fn set_sums(&mut self, sums: &[i32; STEP / 16]) {
        let mut sums32 = [0; STEP / 32];
        for i in 0..STEP / 16 {
            self.minus16[i] = -sums[i];
            self.minus16x32[i] = -32 * sums[i];
        }
        for i in 0..STEP / 32 {
            let [a, b] = [sums[2 * i], sums[2 * i + 1]];
            sums32[i] = a + b;
            self.minus32[i] = -sums32[i];
            self.sums32[i] = sums32[i] as f32;
            self.pairs16[i] = pair(a, b);
        }
        self.minus256 = 0;
        for i in 0..STEP / 64 {
            let [a, b] = [sums32[2 * i], sums32[2 * i + 1]];
            self.pairs32[i] = pair(a, b);
            self.minus256 -= a + b;
        }
    }
}

/// Two i16, low and high.
#[inline(always)]
fn pair(a: i32, b: i32) -> i32 {
    a & 0xffff | b << 16
}
