//! The float arithmetic of a quantised product, in one place: sums of some tokens under way.
//!
//! [`Sums::sixteen`] takes codes from wherever they come (see [`Source`]); the order of its float
//! operations is the numeric contract of [`crate::quant`].

use super::activations::XStep;
use crate::isa::{Isa, LANES};
use crate::quant::{CodeShape, Columns, FLOAT_MINS, NO_MINS, STEP, Scales};

/// Where codes come from, 16 weights of 16 rows at a time.
pub(super) trait Source<I: Isa> {
    /// Where those of a span lie.
    type Span: Copy;
    /// Weights of a span: `S` counts sixteens within it.
    const SPAN: usize;
    /// Bytes that they take, of 16 rows.
    const BYTES: usize;
    /// Sixteens of a span if they come together: 2 or 4, or else 1.
    const TOGETHER: usize = 1;
    fn span(&self, span: usize) -> Self::Span;
    fn sixteen<const S: usize>(&self, isa: I, span: Self::Span) -> [I::B64; 4];
    /// All sixteens of a span that come together; with two, both twice.
    fn together(&self, isa: I, span: Self::Span) -> [[I::B64; 4]; 4];
    /// Whether [`Source::whole`] is the better way for one token.
    const WHOLE: bool = false;
    /// Where what is asked for on the way begins, if the `first` tokens of a step are computed; others ask for nothing new.
    #[inline(always)]
    fn ahead(&self, _first: bool) -> usize {
        0
    }
    /// Asks for a share of the span that begins at `ahead`, after a quarter of a sixteen of `span` is computed for `T`
    /// tokens `x`. What is given back is the same, to be read from afterwards.
    #[inline(always)]
    fn ask<'x, X, const T: usize>(
        &self,
        _: I,
        _ahead: usize,
        _quarter: usize,
        span: Self::Span,
        x: &'x X,
    ) -> (Self::Span, &'x X) {
        (span, x)
    }
    /// `Σ (code - BIAS)·q` over a step of a group of its own.
    fn whole(&self, isa: I, x: &XStep) -> I::I32;
}

/// The end of a step with whole scales and whole minimums of 32: `y += dx * (d * total + dmin * Σ m·Σq)`, as
/// [`Sums::finish`] has it.
#[inline(always)]
pub(super) fn finish_total<I: Isa>(
    isa: I,
    total: I::I32,
    x: &XStep,
    scales: &Scales,
    y: &mut [f32; LANES],
) {
    let t = isa.mul(isa.to_f32(total), isa.load(&scales.d));
    let mut sum = isa.zero();
    for p in 0..STEP / 64 {
        sum = isa.dot_pairs(sum, isa.load_i32(&scales.pairs[p]), x.pairs32[p]);
    }
    let t = isa.mul_add(isa.to_f32(sum), isa.load(&scales.wm[0]), t);
    isa.store(isa.mul_add(t, isa.splat(x.d[0]), isa.load(y)), y);
}

/// All sixteens of a span if they come together.
#[inline(always)]
pub(super) fn all_of<I: Isa, C: Source<I>>(
    isa: I,
    source: &C,
    span: C::Span,
) -> Option<[[I::B64; 4]; 4]> {
    if const { C::TOGETHER > 1 } {
        Some(source.together(isa, span))
    } else {
        None
    }
}

/// `$f!(S)` for each sixteen of a span, `S` being a constant.
macro_rules! each_sixteen {
    ($span:expr, $f:ident) => {
        each_sixteen!(@ $span, $f, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
    };
    (@ $span:expr, $f:ident, $($s:literal)*) => {
        $(if const { 16 * $s < $span } { $f!($s); })*
    };
}
pub(super) use each_sixteen;

/// The first `m` tokens in groups that registers hold. Behind the last there are others in `x` and `y` that may
/// be computed along with it ([`padded`](super::activations::padded)).
#[inline(always)]
pub(super) fn each_group<I: Isa, S: CodeShape, C: Source<I>>(
    isa: I,
    source: &C,
    len: usize,
    scales: &Scales,
    m: usize,
    x: &[XStep],
    y: &mut [[f32; LANES]],
) {
    let mut first = 0;
    while first < m {
        macro_rules! product {
            ($tokens:literal) => {{
                let x = x[first..].first_chunk().expect("tokens are padded");
                let y = y[first..].first_chunk_mut().expect("tokens are padded");
                product::<I, S, C, $tokens>(isa, source, len, scales, first == 0, x, y);
                $tokens
            }};
        }
        // `if const`, so that what a level has no registers for is not even compiled.
        first += match m - first {
            1 => product!(1),
            5.. if const { I::TOKENS >= 8 } => product!(8),
            _ if const { I::TOKENS >= 4 } => product!(4),
            _ if const { I::TOKENS == 2 } => product!(2),
            _ => product!(1),
        };
    }
}

/// One step of `T` tokens.
///
/// Their sums stay in registers only as long as every index is known when this is compiled.
#[inline(always)]
pub(super) fn product<I: Isa, S: CodeShape, C: Source<I>, const T: usize>(
    isa: I,
    source: &C,
    len: usize,
    scales: &Scales,
    first: bool,
    x: &[XStep; T],
    y: &mut [[f32; LANES]; T],
) {
    let mut sums = Sums::<I, T>::new(isa);
    if S::X_BLOCK < STEP {
        sums.load(isa, y);
    }
    let whole = const { T == 1 && C::WHOLE && S::GROUP == STEP };
    if whole {
        sums.sum[0] = source.whole(isa, &x[0]);
    }
    // Blocks of 256 make whole steps.
    let len = if S::WHOLE_SCALES { STEP } else { len };
    let num_spans = if whole { 0 } else { len / C::SPAN };
    let (ahead, mut x) = (source.ahead(first), x);
    // Halves in loops of their own: within one, sums would be moved about in each turn.
    let parts = if S::WHOLE_SCALES { 2 } else { 1 };
    for part in 0..parts {
        if part > 0 {
            (sums.half, sums.t) = (sums.t, [isa.splat(0.0); T]);
        }
        for span in part * num_spans / parts..(part + 1) * num_spans / parts {
            let mut here = Here {
                source,
                span: source.span(span),
                ahead: ahead + span * C::BYTES,
            };
            let all = all_of(isa, source, here.span);
            macro_rules! add {
                ($s:literal) => {
                    let codes = match all {
                        Some(all) => all[$s % 4],
                        None => source.sixteen::<$s>(isa, here.span),
                    };
                    let sixteen = span * (C::SPAN / 16) + $s;
                    x = sums.sixteen::<S, C, $s>(isa, codes, sixteen, x, scales, &mut here);
                };
            }
            each_sixteen!(C::SPAN, add);
        }
    }
    if S::X_BLOCK == STEP {
        // Not before: registers are few.
        sums.load(isa, y);
        sums.finish::<S>(isa, x, scales);
    }
    sums.store(isa, y);
}

/// One step of `T` tokens and two strips, from their panels: an activation, broadcast once, meets codes of both.
#[inline(always)]
pub(super) fn product_of_two<I: Isa, S: CodeShape, const T: usize>(
    isa: I,
    panels: [&Columns; 2],
    len: usize,
    scales: [&Scales; 2],
    x: &[XStep; T],
    [y0, y1]: [&mut [[f32; LANES]; T]; 2],
) {
    let (mut a, mut b) = (Sums::<I, T>::new(isa), Sums::<I, T>::new(isa));
    if S::X_BLOCK < STEP {
        a.load(isa, y0);
        b.load(isa, y1);
    }
    let num_groups = len / S::GROUP;
    let parts = if S::WHOLE_SCALES { 2 } else { 1 };
    for part in 0..parts {
        if part > 0 {
            (a.half, a.t) = (a.t, [isa.splat(0.0); T]);
            (b.half, b.t) = (b.t, [isa.splat(0.0); T]);
        }
        for g in part * num_groups / parts..(part + 1) * num_groups / parts {
            a.start::<S>(isa, g * S::GROUP / 16, x);
            b.start::<S>(isa, g * S::GROUP / 16, x);
            for i in g * S::GROUP / 4..(g + 1) * S::GROUP / 4 {
                let codes = [isa.load_codes(&panels[0][i]), isa.load_codes(&panels[1][i])];
                for j in 0..T {
                    let q = x[j].qs[i];
                    a.sum[j] = isa.dot_one(a.sum[j], codes[0], q);
                    b.sum[j] = isa.dot_one(b.sum[j], codes[1], q);
                }
            }
            if S::GROUP < STEP {
                a.end::<S>(isa, g, x, scales[0]);
                b.end::<S>(isa, g, x, scales[1]);
            }
        }
    }
    if S::X_BLOCK == STEP {
        // Not before: registers are few.
        a.load(isa, y0);
        a.finish::<S>(isa, x, scales[0]);
        b.load(isa, y1);
        b.finish::<S>(isa, x, scales[1]);
    }
    a.store(isa, y0);
    b.store(isa, y1);
}

/// A span that is being computed, and what will be needed next.
struct Here<'a, I: Isa, C: Source<I>> {
    source: &'a C,
    span: C::Span,
    ahead: usize,
}

impl<I: Isa, C: Source<I>> Here<'_, I, C> {
    /// After the `i`-th of `4 * T` products of sixteen `sixteen`. A line or two at a time, far from each other: where
    /// several are asked for in a row, loads wait (Granite Rapids, one core, a loop with as many products: one by one
    /// 19 GB/s, by two 16, by four 14).
    #[inline(always)]
    fn ask<'x, X, const T: usize>(&mut self, isa: I, sixteen: usize, i: usize, x: &'x X) -> &'x X {
        if !(i + 1).is_multiple_of(T) {
            return x;
        }
        let quarter = 4 * sixteen + (i + 1) / T - 1;
        let (span, x) = self
            .source
            .ask::<_, T>(isa, self.ahead, quarter, self.span, x);
        self.span = span;
        x
    }
}

/// Sums of `T` tokens under way: of a group, of an x block, of the whole row.
pub(super) struct Sums<I: Isa, const T: usize> {
    sum: [I::I32; T],
    /// With one token every second sixteen goes here: one chain of additions would wait for itself.
    other: I::I32,
    t: [I::F32; T],
    /// With whole scales, the first half of a step.
    half: [I::F32; T],
    y: [I::F32; T],
}

impl<I: Isa, const T: usize> Sums<I, T> {
    #[inline(always)]
    pub(super) fn new(isa: I) -> Self {
        Self {
            sum: [isa.zero(); T],
            other: isa.zero(),
            t: [isa.splat(0.0); T],
            half: [isa.splat(0.0); T],
            y: [isa.splat(0.0); T],
        }
    }

    /// Goes on with the sums of whole rows so far.
    #[inline(always)]
    pub(super) fn load(&mut self, isa: I, y: &[[f32; LANES]; T]) {
        for j in 0..T {
            self.y[j] = isa.load(&y[j]);
        }
    }

    #[inline(always)]
    pub(super) fn store(&self, isa: I, y: &mut [[f32; LANES]; T]) {
        for j in 0..T {
            isa.store(self.y[j], &mut y[j]);
        }
    }

    /// Takes the sums of group `g`, made elsewhere; `biased` if the bias is still in their codes.
    #[inline(always)]
    pub(super) fn take<S: CodeShape>(
        &mut self,
        isa: I,
        g: usize,
        sums: &[[i32; LANES]; T],
        biased: bool,
        x: &[XStep; T],
    ) {
        if biased {
            self.start::<S>(isa, g * S::GROUP / 16, x);
        }
        for j in 0..T {
            let sum = isa.load_i32(&sums[j]);
            self.sum[j] = if biased {
                isa.add_i32(self.sum[j], sum)
            } else {
                sum
            };
        }
    }

    /// Group `g` of a step, of which there are several.
    #[inline(always)]
    pub(super) fn group<S: CodeShape>(
        &mut self,
        isa: I,
        g: usize,
        sums: &[[i32; LANES]; T],
        biased: bool,
        x: &[XStep; T],
        scales: &Scales,
    ) {
        self.take::<S>(isa, g, sums, biased, x);
        self.end::<S>(isa, g, x, scales);
    }

    /// The end of group `g` of a step, of which there are several, and of an x block that ends with it.
    #[inline(always)]
    fn end<S: CodeShape>(&mut self, isa: I, g: usize, x: &[XStep; T], scales: &Scales) {
        self.end_group::<S>(isa, g, x, scales);
        let per_block = S::X_BLOCK / S::GROUP;
        if S::X_BLOCK < STEP && (g + 1).is_multiple_of(per_block) {
            self.end_block(isa, g / per_block, x);
        }
    }

    /// Adds sixteen weights, the `i`-th of the step; `i` and `P` agree modulo 2 at least, and modulo
    /// the length of a group if that is less than a step. Returns `x`, to be read from afterwards.
    #[inline(always)]
    fn sixteen<'x, S: CodeShape, C: Source<I>, const P: usize>(
        &mut self,
        isa: I,
        codes: [I::B64; 4],
        i: usize,
        mut x: &'x [XStep; T],
        scales: &Scales,
        here: &mut Here<'_, I, C>,
    ) -> &'x [XStep; T] {
        let starts = if S::GROUP == STEP {
            i == 0
        } else {
            (16 * P).is_multiple_of(S::GROUP)
        };
        if starts {
            self.start::<S>(isa, i, x);
        }
        let to_other = T == 1 && S::GROUP > 16 && P % 2 == 1;
        // A loop with an instruction of assembly in it is not unrolled, and sums would not stay in registers.
        macro_rules! token {
            ($j:literal) => {
                if const { $j < T } {
                    let j = const { if $j < T { $j } else { 0 } };
                    let mut sum = if to_other { self.other } else { self.sum[j] };
                    if const { !I::DOTS_ONE_BY_ONE } {
                        let four = x[j].qs[4 * i..].first_chunk();
                        let four = four.expect("a step has 64 numbers");
                        sum = if S::MAX <= 15 {
                            isa.dot::<15>(sum, codes, four)
                        } else if S::MAX <= 31 {
                            isa.dot::<31>(sum, codes, four)
                        } else if S::MAX <= 63 {
                            isa.dot::<63>(sum, codes, four)
                        } else if S::MAX <= 127 {
                            isa.dot::<127>(sum, codes, four)
                        } else {
                            isa.dot::<255>(sum, codes, four)
                        };
                    }
                    macro_rules! quarter {
                        ($q:literal) => {
                            if const { I::DOTS_ONE_BY_ONE } {
                                sum = isa.dot_one(sum, codes[$q], x[j].qs[4 * i + $q]);
                            }
                            x = here.ask::<_, T>(isa, P, 4 * j + $q, x);
                        };
                    }
                    quarter!(0);
                    quarter!(1);
                    quarter!(2);
                    quarter!(3);
                    if to_other {
                        self.other = sum;
                    } else {
                        self.sum[j] = sum;
                    }
                }
            };
        }
        const { assert!(T <= 8, "tokens that are written out below") };
        token!(0);
        token!(1);
        token!(2);
        token!(3);
        token!(4);
        token!(5);
        token!(6);
        token!(7);
        if S::GROUP < STEP && (16 * (P + 1)).is_multiple_of(S::GROUP) {
            self.end_group::<S>(isa, 16 * i / S::GROUP, x, scales);
            if S::X_BLOCK < STEP && (16 * (P + 1)).is_multiple_of(S::X_BLOCK) {
                self.end_block(isa, 16 * i / S::X_BLOCK, x);
            }
        }
        x
    }

    /// A sum starts with what the bias adds to it.
    #[inline(always)]
    fn start<S: CodeShape>(&mut self, isa: I, i: usize, x: &[XStep; T]) {
        self.other = isa.zero();
        let signed = S::MAX > 127 && I::WIDE_IS_SIGNED;
        let bias = i32::from(S::BIAS) - if signed { 128 } else { 0 };
        for j in 0..T {
            self.sum[j] = if S::MINS != NO_MINS || bias == 0 {
                isa.zero()
            } else if S::GROUP == 16 && bias == 32 {
                isa.splat_i32(x[j].minus16x32[i])
            } else {
                let minus = match S::GROUP {
                    16 => x[j].minus16[i],
                    32 => x[j].minus32[i / 2],
                    _ => x[j].minus256,
                };
                // A shift runs beside the products, a multiplication in their place.
                let minus = isa.splat_i32(minus);
                match bias {
                    1 => minus,
                    4 => isa.shl_i32::<2>(minus),
                    8 => isa.shl_i32::<3>(minus),
                    16 => isa.shl_i32::<4>(minus),
                    64 => isa.shl_i32::<6>(minus),
                    128 => isa.shl_i32::<7>(minus),
                    _ => isa.mul_i32(minus, isa.splat_i32(bias)),
                }
            };
        }
    }

    /// `t += ws * sum [+ wm * x_sum]`.
    #[inline(always)]
    fn end_group<S: CodeShape>(&mut self, isa: I, g: usize, x: &[XStep; T], scales: &Scales) {
        if T == 1 && S::GROUP > 16 {
            self.sum[0] = isa.add_i32(self.sum[0], self.other);
        }
        let ws = isa.load(&scales.ws[g]);
        for j in 0..T {
            self.t[j] = isa.mul_add(isa.to_f32(self.sum[j]), ws, self.t[j]);
        }
        if S::MINS == FLOAT_MINS {
            const { assert!(S::MINS != FLOAT_MINS || S::GROUP == 32) };
            let wm = isa.load(&scales.wm[g]);
            for j in 0..T {
                self.t[j] = isa.mul_add(isa.splat(x[j].sums32[g]), wm, self.t[j]);
            }
        }
    }

    /// `y += t * d`: the end of x block `block`, of which a step has several.
    #[inline(always)]
    fn end_block(&mut self, isa: I, block: usize, x: &[XStep; T]) {
        for j in 0..T {
            self.y[j] = isa.mul_add(self.t[j], isa.splat(x[j].d[block]), self.y[j]);
            self.t[j] = isa.splat(0.0);
        }
    }

    /// The end of an x block of a whole step.
    #[inline(always)]
    pub(super) fn finish<S: CodeShape>(&mut self, isa: I, x: &[XStep; T], scales: &Scales) {
        if S::GROUP == STEP {
            self.end_group::<S>(isa, 0, x, scales);
        }
        if S::WHOLE_SCALES {
            let d = isa.load(&scales.d);
            for j in 0..T {
                self.t[j] = isa.mul(isa.add(self.half[j], self.t[j]), d);
            }
        }
        if S::MINS > FLOAT_MINS {
            let num_pairs = STEP / S::MINS / 2;
            let dmin = isa.load(&scales.wm[0]);
            // Eight at a time: sums of more would not fit the registers.
            for first in (0..T).step_by(8) {
                let mut sum = [isa.zero(); 8];
                let num = if T - first < 8 { T - first } else { 8 };
                for p in 0..num_pairs {
                    let pair = isa.load_i32(&scales.pairs[p]);
                    for j in 0..num {
                        let x_sums = if S::MINS == 32 {
                            x[first + j].pairs32[p]
                        } else {
                            x[first + j].pairs16[p]
                        };
                        sum[j] = isa.dot_pairs(sum[j], pair, x_sums);
                    }
                }
                for j in 0..num {
                    let t = &mut self.t[first + j];
                    *t = isa.mul_add(isa.to_f32(sum[j]), dmin, *t);
                }
            }
        }
        for j in 0..T {
            self.y[j] = isa.mul_add(self.t[j], isa.splat(x[j].d[0]), self.y[j]);
        }
    }
}
