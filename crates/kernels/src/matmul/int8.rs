//! Quantised weights times int8 activations: one loop for few tokens, one for many, same bits.
//!
//! Both take 16 weight rows at a time, one row per lane of the float accumulators.
//!
//! - *Few tokens*: weights stay in their rows. A row's 64 codes meet 64 activations in one vector of
//!   partial sums, and four shuffle steps bring the sums of 16 rows into lanes.
//! - *Many tokens*: the 16 rows are unpacked once into a panel that interleaves them (4 codes of row
//!   0, 4 of row 1, ...), so that a product with 4 broadcast activations yields 16 rows' sums with no
//!   shuffle at all; the panel is then reused by every token.
//!
//! The integer sums are exact, so how they come about does not matter; the float steps after them are
//! the same function, [`accumulate`], in both.

use super::activations::XRow;
use super::{Task, XKind};
use crate::Scratch;
use crate::isa::{Isa, LANES, Op};
use crate::pool::Tile;
use crate::quant::{CodeShape, GroupScales, QuantFormat, Units};

/// Up to this many tokens go one by one through the loop for few.
const FEW_TOKENS: usize = 3;
/// Largest unit of a format with blocks of 32, in bytes (Q8_0).
const MAX_TAIL_BYTES: usize = 68;

pub(super) const fn x_kind<F: QuantFormat>() -> XKind {
    if F::Shape::X_BLOCK == 32 {
        XKind::Per32
    } else {
        XKind::Per256
    }
}

pub(super) fn task<I: Isa, F: QuantFormat>(task: &Task<'_>, tile: Tile<'_>, scratch: &mut Scratch) {
    let isa = I::get().expect("the kernel was chosen for this CPU");
    isa.run(TileOp::<F> {
        task,
        tile,
        scratch,
        format: std::marker::PhantomData,
    });
}

struct TileOp<'a, F> {
    task: &'a Task<'a>,
    tile: Tile<'a>,
    scratch: &'a mut Scratch,
    format: std::marker::PhantomData<F>,
}

impl<F: QuantFormat> Op for TileOp<'_, F> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(mut self, isa: I) {
        let cols = self.tile.cols.clone();
        let few = self.tile.rows.len() <= FEW_TOKENS;
        for first in cols.clone().step_by(LANES) {
            let rows = Rows::new(self.task, first, cols.end);
            let width = LANES.min(cols.end - first);
            let start = first - cols.start;
            if few {
                for m in self.tile.rows.clone() {
                    let x = self.x(m);
                    let (ws, wm) = (&mut self.scratch.scales, &mut self.scratch.mins);
                    let y = few_tokens::<I, F>(isa, &rows, x, ws, wm);
                    write(isa, y, &mut self.tile.row(m)[start..start + width]);
                }
            } else {
                unpack::<I, F>(isa, &rows, self.scratch);
                let mut m = self.tile.rows.start;
                while m < self.tile.rows.end {
                    let left = self.tile.rows.end - m;
                    m += match left {
                        8.. if I::TOKENS >= 8 => self.many::<I, 8>(isa, m, start, width),
                        4.. => self.many::<I, 4>(isa, m, start, width),
                        2.. => self.many::<I, 2>(isa, m, start, width),
                        _ => self.many::<I, 1>(isa, m, start, width),
                    };
                }
            }
        }
    }
}

impl<'a, F: QuantFormat> TileOp<'a, F> {
    #[inline(always)]
    fn x(&self, m: usize) -> XRow<'a> {
        self.task
            .activations
            .form(const { x_kind::<F>() })
            .row(m, F::GROUP)
    }

    /// Tokens `m .. m + T` times the unpacked panel; returns `T`.
    #[inline(always)]
    fn many<I: Isa, const T: usize>(
        &mut self,
        isa: I,
        m: usize,
        start: usize,
        width: usize,
    ) -> usize {
        let mut x = [self.x(m); T];
        for (t, x) in x.iter_mut().enumerate() {
            *x = self.x(m + t);
        }
        let y = many_tokens::<I, F::Shape, T>(isa, self.scratch, f32::from(F::BIAS), x);
        for (t, y) in y.into_iter().enumerate() {
            write(isa, y, &mut self.tile.row(m + t)[start..start + width]);
        }
        T
    }
}

#[inline(always)]
fn write<I: Isa>(isa: I, y: I::F32, out: &mut [f32]) {
    if let Ok(out) = <&mut [f32; LANES]>::try_from(&mut *out) {
        isa.store(y, out);
    } else {
        let mut lanes = [0.0; LANES];
        isa.store(y, &mut lanes);
        out.copy_from_slice(&lanes[..out.len()]);
    }
}

/// One group's step: `t (+)= ws * (sum - BIAS * x_sum) [+ wm * x_sum]`; `first` starts a new `t`.
#[inline(always)]
fn accumulate<I: Isa, S: CodeShape>(
    isa: I,
    t: I::F32,
    first: bool,
    sum: I::I32,
    (ws, wm): (&[f32; LANES], &[f32; LANES]),
    x_sum: f32,
    bias: f32,
) -> I::F32 {
    let mut value = isa.to_f32(sum);
    if !(S::HAS_MIN || S::WIDE && I::WIDE_IS_SIGNED) {
        // Whole numbers below 2^24: exact, so it does not matter that some levels subtract earlier.
        value = isa.mul_add(isa.splat(-bias), isa.splat(x_sum), value);
    }
    let ws = isa.load(ws);
    let t = if first {
        isa.mul(value, ws)
    } else {
        isa.mul_add(value, ws, t)
    };
    if S::HAS_MIN {
        isa.mul_add(isa.splat(x_sum), isa.load(wm), t)
    } else {
        t
    }
}

/// Sixteen weight rows as they lie in the file.
struct Rows<'a> {
    data: &'a [u8],
    /// Where each row begins in `data`.
    offsets: [u32; LANES],
    row_bytes: usize,
}

impl<'a> Rows<'a> {
    /// Rows `first ..` of a weight whose rows end at `end`; the last row stands in for those beyond.
    #[inline(always)]
    fn new(task: &Task<'a>, first: usize, end: usize) -> Self {
        let row_bytes = task.row_bytes;
        let mut offsets = [0; LANES];
        for (r, offset) in offsets.iter_mut().enumerate() {
            let row = r.min(end - 1 - first);
            *offset = u32::try_from(row * row_bytes).expect("16 rows are far below 4 GiB");
        }
        Self {
            data: &task.weight.data[first * row_bytes..],
            offsets,
            row_bytes,
        }
    }

    /// Calls for each unit; the last block of an odd number of blocks of 32 is followed by one of zeros.
    #[inline(always)]
    fn for_each_unit<I: Isa, F: QuantFormat>(&self, isa: I, mut f: impl Unit<I, F>) {
        let num_units = self.row_bytes / F::UNIT_BYTES;
        for u in 0..num_units {
            // Sixteen rows are a stretch of memory: ask for the same part of the next stretch.
            let ahead = LANES * (self.row_bytes + u * F::UNIT_BYTES);
            for line in (0..LANES * F::UNIT_BYTES).step_by(64) {
                isa.prefetch(self.data, ahead + line);
            }
            f.run(
                isa,
                u,
                Units::new(self.data, &self.offsets, u * F::UNIT_BYTES),
            );
        }
        let left = self.row_bytes - num_units * F::UNIT_BYTES;
        if left > 0 {
            let mut tails = [[0; MAX_TAIL_BYTES]; LANES];
            let mut offsets = [0; LANES];
            for (r, tail) in tails.iter_mut().enumerate() {
                let at = self.offsets[r] as usize + num_units * F::UNIT_BYTES;
                tail[..left].copy_from_slice(&self.data[at..at + left]);
                offsets[r] = (r * MAX_TAIL_BYTES) as u32;
            }
            f.run(
                isa,
                num_units,
                Units::new(tails.as_flattened(), &offsets, 0),
            );
        }
    }
}

/// What is done with each unit of 16 rows. (A closure might not be inlined; see [`crate::vector`].)
trait Unit<I: Isa, F: QuantFormat> {
    fn run(&mut self, isa: I, u: usize, units: Units<'_>);
}

/// 16 outputs of one token, from rows as they lie.
#[inline(always)]
fn few_tokens<I: Isa, F: QuantFormat>(
    isa: I,
    rows: &Rows<'_>,
    x: XRow<'_>,
    ws: &mut GroupScales,
    wm: &mut GroupScales,
) -> I::F32 {
    let mut y = isa.splat(0.0);
    rows.for_each_unit::<I, F>(
        isa,
        FewTokens {
            x,
            ws,
            wm,
            y: &mut y,
        },
    );
    y
}

struct FewTokens<'a, I: Isa> {
    x: XRow<'a>,
    ws: &'a mut GroupScales,
    wm: &'a mut GroupScales,
    y: &'a mut I::F32,
}

impl<I: Isa, F: QuantFormat> Unit<I, F> for FewTokens<'_, I> {
    #[inline(always)]
    fn run(&mut self, isa: I, u: usize, units: Units<'_>) {
        let num_groups = F::UNIT / F::GROUP;
        let (ws, wm) = (&mut self.ws[..num_groups], &mut self.wm[..num_groups]);
        F::scales(isa, &units, ws, wm);
        *self.y = few_tokens_unit::<I, F>(isa, &units, u, self.x, (ws, wm), *self.y);
    }
}

#[inline(always)]
fn few_tokens_unit<I: Isa, F: QuantFormat>(
    isa: I,
    units: &Units<'_>,
    u: usize,
    x: XRow<'_>,
    (ws, wm): (&GroupScales, &GroupScales),
    mut y: I::F32,
) -> I::F32 {
    let (per_chunk, x_block) = (64 / F::GROUP, const { F::Shape::X_BLOCK });
    let chunks = &x.qs.as_flattened().as_chunks::<64>().0[u * (F::UNIT / 64)..][..F::UNIT / 64];
    let sums = &x.sums[u * (F::UNIT / F::GROUP)..][..F::UNIT / F::GROUP];
    let mut t = isa.splat(0.0);
    for (c, chunk) in chunks.iter().enumerate() {
        let xq = isa.load64(chunk);
        let mut quads = [isa.zero(); 4];
        for (q, quad) in quads.iter_mut().enumerate() {
            let mut rows = [isa.zero(); 4];
            for (r, row) in rows.iter_mut().enumerate() {
                let (lo, hi) = F::codes(isa, units.row(4 * q + r, F::UNIT_BYTES), c);
                *row = if const { F::Shape::WIDE } {
                    isa.dot64::<true>(lo, hi, xq)
                } else {
                    isa.dot64::<false>(lo, hi, xq)
                };
            }
            *quad = isa.reduce4(rows);
        }
        let quarters = isa.transpose_quarters(quads);
        for g in 0..per_chunk {
            let sum = if F::GROUP == 16 {
                quarters[g]
            } else {
                isa.add_i32(quarters[2 * g], quarters[2 * g + 1])
            };
            let group = c * per_chunk + g;
            let first = (group * F::GROUP).is_multiple_of(x_block);
            let scales = (&ws[group], &wm[group]);
            t = accumulate::<I, F::Shape>(
                isa,
                t,
                first,
                sum,
                scales,
                sums[group],
                f32::from(F::BIAS),
            );
            if ((group + 1) * F::GROUP).is_multiple_of(x_block) {
                let block = (u * F::UNIT + group * F::GROUP) / x_block;
                y = isa.mul_add(t, isa.splat(x.d[block]), y);
            }
        }
    }
    y
}

/// Unpacks 16 rows into `scratch`: codes interleaved by fours, scales and minimums per group.
#[inline(always)]
fn unpack<I: Isa, F: QuantFormat>(isa: I, rows: &Rows<'_>, scratch: &mut Scratch) {
    rows.for_each_unit::<I, F>(isa, Unpack(scratch));
}

struct Unpack<'a>(&'a mut Scratch);

impl<I: Isa, F: QuantFormat> Unit<I, F> for Unpack<'_> {
    #[inline(always)]
    fn run(&mut self, isa: I, u: usize, units: Units<'_>) {
        let Scratch {
            codes: panel,
            scales,
            mins,
            ..
        } = &mut *self.0;
        let groups = u * (F::UNIT / F::GROUP)..(u + 1) * (F::UNIT / F::GROUP);
        F::scales(isa, &units, &mut scales[groups.clone()], &mut mins[groups]);
        for c in 0..F::UNIT / 64 {
            let mut codes = [[0; 64]; LANES];
            for (r, codes) in codes.iter_mut().enumerate() {
                let (lo, hi) = F::codes(isa, units.row(r, F::UNIT_BYTES), c);
                let (low, high) = codes.split_at_mut(32);
                isa.store32(lo, low.try_into().expect("32 bytes"));
                isa.store32(hi, high.try_into().expect("32 bytes"));
            }
            let at = (u * (F::UNIT / 64) + c) * LANES;
            let panel = panel[at..at + LANES]
                .first_chunk_mut()
                .expect("16 rows of the panel");
            isa.transpose_codes(&codes, panel);
        }
    }
}

/// 16 outputs of `T` tokens, from the unpacked panel.
#[inline(always)]
fn many_tokens<I: Isa, S: CodeShape, const T: usize>(
    isa: I,
    scratch: &Scratch,
    bias: f32,
    x: [XRow<'_>; T],
) -> [I::F32; T] {
    let (per_block, quads) = (S::X_BLOCK / S::GROUP, S::GROUP / 4);
    let mut y = [isa.splat(0.0); T];
    for block in 0..x[0].d.len() {
        let mut t = [isa.splat(0.0); T];
        for g in 0..per_block {
            let group = block * per_block + g;
            let codes = &scratch.codes[group * quads..][..quads];
            let mut xq: [&[[i8; 4]]; T] = [&[]; T];
            for t in 0..T {
                xq[t] = &x[t].qs[group * quads..][..quads];
            }
            let mut sums = [isa.zero(); T];
            for (i, codes) in codes.iter().enumerate() {
                let w = isa.load_codes(codes);
                for t in 0..T {
                    sums[t] = if const { S::WIDE } {
                        isa.dot_splat::<true>(sums[t], w, xq[t][i])
                    } else {
                        isa.dot_splat::<false>(sums[t], w, xq[t][i])
                    };
                }
            }
            let scales = (&scratch.scales[group], &scratch.mins[group]);
            for j in 0..T {
                t[j] =
                    accumulate::<I, S>(isa, t[j], g == 0, sums[j], scales, x[j].sums[group], bias);
            }
        }
        for j in 0..T {
            y[j] = isa.mul_add(t[j], isa.splat(x[j].d[block]), y[j]);
        }
    }
    y
}
