//! Quantised weights times int8 activations: weights as they lie, 16 rows at a time.
//!
//! A *strip* is 16 weight rows, one in each lane of the float accumulators; a *step* is 256 weights of
//! each. For every step the strip's blocks are transposed into columns (a vector holds the same four
//! bytes of all rows), so that a product of four codes of 16 rows with four broadcast activations
//! is one instruction, with no shuffle after it. Then
//!
//! - with few tokens, codes are unpacked in registers and meet the tokens at once;
//! - with many, codes are unpacked into a panel that stays in the nearest cache and is used by all.
//!
//! Integer sums are exact, so how they come about does not matter; the float operations after them are
//! the same function, [`Sums::sixteen`], in both. Results live in memory between steps.

use std::marker::PhantomData;

use super::activations::{Int8, XStep};
use super::{Task, XKind};
use crate::Scratch;
use crate::isa::{Isa, LANES, Op, Rows};
use crate::pool::Tile;
use crate::quant::{
    Block, CodeShape, Columns, FLOAT_MINS, NO_MINS, QuantFormat, STEP, Scales, Tables,
};

/// Up to this many tokens meet codes in registers.
const FEW_TOKENS: usize = 8;
/// Tokens whose results are under way at a time, and strips that share a pass over them.
const TOKENS: usize = 256;
pub(super) const STRIPS: usize = 4;

pub(super) const fn x_kind<F: QuantFormat>() -> XKind {
    if F::Shape::X_BLOCK == 32 {
        XKind::Per32
    } else {
        XKind::Per256
    }
}

/// A thread's room.
pub(crate) struct Room {
    columns: Box<Columns>,
    strips: Vec<Strip>,
    /// Results under way: `[strip][token][row]`.
    y: Vec<[f32; LANES]>,
}

/// What one step of one strip is unpacked to.
struct Strip {
    scales: Scales,
    panel: [[u8; 64]; STEP / 4],
}

impl Room {
    pub(crate) fn new() -> Self {
        let strip = |_| Strip {
            scales: Scales::new(),
            panel: [[0; 64]; STEP / 4],
        };
        Self {
            columns: Box::new([[0; 64]; 64]),
            strips: (0..STRIPS).map(strip).collect(),
            y: vec![[0.0; LANES]; STRIPS * TOKENS],
        }
    }
}

pub(super) fn task<I: Isa, F: QuantFormat>(task: &Task<'_>, tile: Tile<'_>, scratch: &mut Scratch) {
    let isa = I::get().expect("the kernel was chosen for this CPU");
    isa.run(TileOp::<F> {
        task,
        tile,
        room: &mut scratch.int8,
        format: PhantomData,
    });
}

struct TileOp<'a, F> {
    task: &'a Task<'a>,
    tile: Tile<'a>,
    room: &'a mut Room,
    format: PhantomData<F>,
}

impl<F: QuantFormat> Op for TileOp<'_, F> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(mut self, isa: I) {
        let x = self.task.activations.form(const { x_kind::<F>() });
        let tokens = self.tile.rows.clone();
        for first in tokens.clone().step_by(TOKENS) {
            let m = TOKENS.min(tokens.end - first);
            let few = F::CHEAP && I::TOKENS > 1 && m <= FEW_TOKENS;
            let at_once = if few { 1 } else { STRIPS };
            for col in self.tile.cols.clone().step_by(at_once * LANES) {
                let end = self.tile.cols.end.min(col + at_once * LANES);
                if few {
                    self.few_tokens(isa, x, first, m, col, end);
                } else {
                    self.many_tokens(isa, x, first, m, col, end);
                }
                self.write(first, m, col, end);
            }
        }
    }
}

impl<'a, F: QuantFormat> TileOp<'a, F> {
    /// The strip of rows `col ..`, of which those from `end` on do not exist.
    #[inline(always)]
    fn rows(&self, col: usize, end: usize) -> Rows<'a> {
        let row_bytes = self.task.row_bytes;
        Rows::new(
            &self.task.weight.data[col * row_bytes..],
            row_bytes,
            end - col,
        )
    }

    /// Weights of step `step`.
    #[inline(always)]
    fn len(&self, step: usize) -> usize {
        STEP.min(self.task.weight.k - step * STEP)
    }

    #[inline(always)]
    fn few_tokens<I: Isa>(
        &mut self,
        isa: I,
        x: &Int8,
        first: usize,
        m: usize,
        col: usize,
        end: usize,
    ) {
        let rows = self.rows(col, end);
        let Room { columns, strips, y } = &mut *self.room;
        let y = &mut y[..m];
        y.fill([0.0; LANES]);
        for step in 0..self.task.weight.k.div_ceil(STEP) {
            let len = STEP.min(self.task.weight.k - step * STEP);
            let scales = &mut strips[0].scales;
            let at = step * (STEP / F::BLOCK_LEN) * F::BLOCK_BYTES;
            // A strip is a stretch of memory: ask for the same part of the next one.
            let step_bytes = LANES * (STEP / F::BLOCK_LEN) * F::BLOCK_BYTES;
            let ahead = LANES * self.task.row_bytes + step * step_bytes;
            for line in (0..step_bytes).step_by(64) {
                isa.prefetch(rows.data(), ahead + line);
            }
            transpose::<I, F>(isa, &rows, at, len, columns, scales);
            let source = Packed::<F> {
                rows: &rows,
                at,
                columns,
                tables: &scales.tables,
                format: PhantomData,
            };
            let x = &x.step(step)[first..first + m];
            each_group::<I, F::Shape, _>(isa, &source, len, scales, x, y, F::BIAS);
        }
    }

    #[inline(always)]
    fn many_tokens<I: Isa>(
        &mut self,
        isa: I,
        x: &Int8,
        first: usize,
        m: usize,
        col: usize,
        end: usize,
    ) {
        let num_strips = (end - col).div_ceil(LANES);
        self.room.y[..num_strips * m].fill([0.0; LANES]);
        for step in 0..self.task.weight.k.div_ceil(STEP) {
            let len = self.len(step);
            let at = step * (STEP / F::BLOCK_LEN) * F::BLOCK_BYTES;
            for s in 0..num_strips {
                let rows = self.rows(col + s * LANES, end);
                let Room {
                    columns, strips, ..
                } = &mut *self.room;
                let Strip { scales, panel } = &mut strips[s];
                transpose::<I, F>(isa, &rows, at, len, columns, scales);
                let source = Packed::<F> {
                    rows: &rows,
                    at,
                    columns,
                    tables: &scales.tables,
                    format: PhantomData,
                };
                unpack(isa, &source, len, panel);
            }
            let Room { strips, y, .. } = &mut *self.room;
            isa.run(Panels::<F::Shape> {
                strips: &strips[..num_strips],
                len,
                x: &x.step(step)[first..first + m],
                y,
                bias: F::BIAS,
                shape: PhantomData,
            });
        }
    }

    /// Results to their places.
    #[inline(always)]
    fn write(&mut self, first: usize, m: usize, col: usize, end: usize) {
        let start = col - self.tile.cols.start;
        for t in 0..m {
            let out = &mut self.tile.row(first + t)[start..start + (end - col)];
            for (s, out) in out.chunks_mut(LANES).enumerate() {
                out.copy_from_slice(&self.room.y[s * m + t][..out.len()]);
            }
        }
    }
}

/// Columns and scales of a step.
#[inline(always)]
fn transpose<I: Isa, F: QuantFormat>(
    isa: I,
    rows: &Rows<'_>,
    at: usize,
    len: usize,
    columns: &mut Columns,
    scales: &mut Scales,
) {
    let per_block = 4 * F::PIECES.len();
    for b in 0..len / F::BLOCK_LEN {
        let at = at + b * F::BLOCK_BYTES;
        let columns = &mut columns[b * per_block..][..per_block];
        for (piece, out) in F::PIECES.iter().zip(columns.as_chunks_mut::<4>().0) {
            let four = isa.columns(rows, at + piece);
            for i in 0..4 {
                isa.store_codes(four[i], &mut out[i]);
            }
        }
        let block = Block {
            rows,
            at,
            columns,
            span: 0,
        };
        F::scales(isa, block, b * F::BLOCK_LEN / F::Shape::GROUP, scales);
    }
}

/// Where codes come from, 16 weights of 16 rows at a time.
trait Source<I: Isa> {
    /// Weights of a span: `S` counts sixteens within it.
    const SPAN: usize;
    fn sixteen<const S: usize>(&self, isa: I, span: usize) -> [I::B64; 4];
}

/// Codes still in their blocks.
struct Packed<'a, F> {
    rows: &'a Rows<'a>,
    at: usize,
    columns: &'a Columns,
    tables: &'a Tables,
    format: PhantomData<F>,
}

impl<I: Isa, F: QuantFormat> Source<I> for Packed<'_, F> {
    const SPAN: usize = F::SPAN;

    #[inline(always)]
    fn sixteen<const S: usize>(&self, isa: I, span: usize) -> [I::B64; 4] {
        let (per_block, spans) = (4 * F::PIECES.len(), F::BLOCK_LEN / F::SPAN);
        let block = Block {
            rows: self.rows,
            at: self.at + span / spans * F::BLOCK_BYTES,
            columns: &self.columns[span / spans * per_block..][..per_block],
            span: span % spans,
        };
        F::codes::<I, S>(isa, block, self.tables)
    }
}

/// Codes of a panel.
struct Unpacked<'a>(&'a [[u8; 64]; STEP / 4]);

impl<I: Isa> Source<I> for Unpacked<'_> {
    const SPAN: usize = 32;

    #[inline(always)]
    fn sixteen<const S: usize>(&self, isa: I, span: usize) -> [I::B64; 4] {
        let [a, b, c, d] = self.0[8 * span + 4 * S..]
            .first_chunk()
            .expect("a panel holds a step");
        [
            isa.load_codes(a),
            isa.load_codes(b),
            isa.load_codes(c),
            isa.load_codes(d),
        ]
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

#[inline(always)]
fn unpack<I: Isa, C: Source<I>>(isa: I, source: &C, len: usize, panel: &mut [[u8; 64]; STEP / 4]) {
    for span in 0..len / C::SPAN {
        macro_rules! store {
            ($s:literal) => {
                let codes = source.sixteen::<$s>(isa, span);
                let at = span * C::SPAN / 4 + 4 * $s;
                for (code, out) in codes.into_iter().zip(&mut panel[at..at + 4]) {
                    isa.store_codes(code, out);
                }
            };
        }
        each_sixteen!(C::SPAN, store);
    }
}

/// All tokens times all strips' panels; `y` is `[strip][token]`. An operation of its own, so that formats
/// of one shape share its code.
struct Panels<'a, S> {
    strips: &'a [Strip],
    len: usize,
    x: &'a [XStep],
    y: &'a mut [[f32; LANES]],
    bias: u8,
    shape: PhantomData<S>,
}

impl<S: CodeShape> Op for Panels<'_, S> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        for (g, x) in self.x.chunks(I::TOKENS).enumerate() {
            for (s, strip) in self.strips.iter().enumerate() {
                let y = &mut self.y[s * self.x.len() + g * I::TOKENS..][..x.len()];
                let source = Unpacked(&strip.panel);
                each_group::<I, S, _>(isa, &source, self.len, &strip.scales, x, y, self.bias);
            }
        }
    }
}

/// Tokens in groups that registers hold.
#[inline(always)]
fn each_group<I: Isa, S: CodeShape, C: Source<I>>(
    isa: I,
    source: &C,
    len: usize,
    scales: &Scales,
    mut x: &[XStep],
    mut y: &mut [[f32; LANES]],
    bias: u8,
) {
    while !x.is_empty() {
        let n = match x.len() {
            5.. if I::TOKENS >= 8 => product::<I, S, C, 8>(isa, source, len, scales, x, y, bias),
            2.. if I::TOKENS >= 4 => product::<I, S, C, 4>(isa, source, len, scales, x, y, bias),
            _ => product::<I, S, C, 1>(isa, source, len, scales, x, y, bias),
        };
        (x, y) = (&x[n..], &mut y[n..]);
    }
}

/// One step of up to `T` tokens; returns how many. Where tokens are missing the last stands in.
#[inline(always)]
fn product<I: Isa, S: CodeShape, C: Source<I>, const T: usize>(
    isa: I,
    source: &C,
    len: usize,
    scales: &Scales,
    x: &[XStep],
    y: &mut [[f32; LANES]],
    bias: u8,
) -> usize {
    let n = T.min(x.len());
    let mut tokens = [&x[0]; T];
    let mut sums = Sums::<I, T> {
        sum: [isa.zero(); T],
        t: [isa.splat(0.0); T],
        y: [isa.splat(0.0); T],
    };
    for j in 0..T {
        tokens[j] = &x[j.min(n - 1)];
        sums.y[j] = isa.load(&y[j.min(n - 1)]);
    }
    for span in 0..len / C::SPAN {
        macro_rules! add {
            ($s:literal) => {
                let codes = source.sixteen::<$s>(isa, span);
                let sixteen = span * (C::SPAN / 16) + $s;
                sums.sixteen::<S, $s>(isa, codes, sixteen, tokens, scales, bias);
            };
        }
        each_sixteen!(C::SPAN, add);
    }
    if S::X_BLOCK == STEP {
        sums.finish::<S>(isa, tokens, scales);
    }
    for j in 0..n {
        isa.store(sums.y[j], &mut y[j]);
    }
    n
}

/// Sums of `T` tokens under way: of a group, of an x block, of the whole row.
struct Sums<I: Isa, const T: usize> {
    sum: [I::I32; T],
    t: [I::F32; T],
    y: [I::F32; T],
}

impl<I: Isa, const T: usize> Sums<I, T> {
    /// Adds sixteen weights, the `i`-th of the step; `i` and `P` agree modulo 2 at least, and modulo
    /// the length of a group if that is less than a step.
    #[inline(always)]
    fn sixteen<S: CodeShape, const P: usize>(
        &mut self,
        isa: I,
        codes: [I::B64; 4],
        i: usize,
        x: [&XStep; T],
        scales: &Scales,
        bias: u8,
    ) {
        let starts = if S::GROUP == STEP {
            i == 0
        } else {
            (16 * P).is_multiple_of(S::GROUP)
        };
        if starts {
            self.start::<S>(isa, i, x, bias);
        }
        for j in 0..T {
            let four = x[j].qs[4 * i..]
                .first_chunk()
                .expect("a step has 64 numbers");
            self.sum[j] = if S::MAX <= 15 {
                isa.dot::<15>(self.sum[j], codes, four)
            } else if S::MAX <= 31 {
                isa.dot::<31>(self.sum[j], codes, four)
            } else if S::MAX <= 63 {
                isa.dot::<63>(self.sum[j], codes, four)
            } else if S::MAX <= 127 {
                isa.dot::<127>(self.sum[j], codes, four)
            } else {
                isa.dot::<255>(self.sum[j], codes, four)
            };
        }
        if S::GROUP < STEP && (16 * (P + 1)).is_multiple_of(S::GROUP) {
            self.end_group::<S>(isa, 16 * i / S::GROUP, x, scales);
            if S::X_BLOCK < STEP && (16 * (P + 1)).is_multiple_of(S::X_BLOCK) {
                let block = 16 * i / S::X_BLOCK;
                for j in 0..T {
                    self.y[j] = isa.mul_add(self.t[j], isa.splat(x[j].d[block]), self.y[j]);
                    self.t[j] = isa.splat(0.0);
                }
            }
        }
    }

    /// A sum starts with what the bias adds to it.
    #[inline(always)]
    fn start<S: CodeShape>(&mut self, isa: I, i: usize, x: [&XStep; T], bias: u8) {
        let signed = S::MAX > 127 && I::WIDE_IS_SIGNED;
        let bias = i32::from(bias) - if signed { 128 } else { 0 };
        for j in 0..T {
            self.sum[j] = if S::MINS != NO_MINS || bias == 0 {
                isa.zero()
            } else {
                let minus = match S::GROUP {
                    16 => x[j].minus16[i],
                    32 => x[j].minus32[i / 2],
                    _ => x[j].minus256,
                };
                isa.mul_i32(isa.splat_i32(minus), isa.splat_i32(bias))
            };
        }
    }

    /// `t += ws * sum [+ wm * x_sum]`.
    #[inline(always)]
    fn end_group<S: CodeShape>(&mut self, isa: I, g: usize, x: [&XStep; T], scales: &Scales) {
        let ws = isa.load(&scales.ws[g]);
        for j in 0..T {
            self.t[j] = isa.mul_add(isa.to_f32(self.sum[j]), ws, self.t[j]);
        }
        if S::MINS == FLOAT_MINS {
            let wm = isa.load(&scales.wm[g]);
            for j in 0..T {
                let minus = match S::GROUP {
                    16 => x[j].minus16[g],
                    _ => x[j].minus32[g],
                };
                let x_sum = isa.to_f32(isa.splat_i32(-minus));
                self.t[j] = isa.mul_add(x_sum, wm, self.t[j]);
            }
        }
    }

    /// The end of an x block of a whole step.
    #[inline(always)]
    fn finish<S: CodeShape>(&mut self, isa: I, x: [&XStep; T], scales: &Scales) {
        if S::GROUP == STEP {
            self.end_group::<S>(isa, 0, x, scales);
        }
        if S::MINS > FLOAT_MINS {
            let num_pairs = STEP / S::MINS / 2;
            let dmin = isa.load(&scales.wm[0]);
            let mut sum = [isa.zero(); T];
            for p in 0..num_pairs {
                let pair = isa.load_i32(&scales.pairs[p]);
                for j in 0..T {
                    let x_sums = if S::MINS == 32 {
                        x[j].pairs32[p]
                    } else {
                        x[j].pairs16[p]
                    };
                    sum[j] = isa.dot_pairs(sum[j], pair, x_sums);
                }
            }
            for j in 0..T {
                self.t[j] = isa.mul_add(isa.to_f32(sum[j]), dmin, self.t[j]);
            }
        }
        for j in 0..T {
            self.y[j] = isa.mul_add(self.t[j], isa.splat(x[j].d[0]), self.y[j]);
        }
    }
}
