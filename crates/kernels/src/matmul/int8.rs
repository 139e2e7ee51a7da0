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
use crate::quant::{CodeShape, MAX_GROUPS, QuantFormat};

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
            // At the lower edge of the matrix the last row stands in for those that are not there.
            let rows: [&[u8]; LANES] = std::array::from_fn(|r| {
                let n = (first + r).min(cols.end - 1);
                &self.task.weight.data[n * self.task.row_bytes..][..self.task.row_bytes]
            });
            let width = LANES.min(cols.end - first);
            let start = first - cols.start;
            if few {
                for m in self.tile.rows.clone() {
                    let y = few_tokens::<I, F>(isa, &rows, self.x(m));
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

impl<F: QuantFormat> TileOp<'_, F> {
    #[inline(always)]
    fn x(&self, m: usize) -> XRow<'_> {
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
        let x = std::array::from_fn(|t| self.x(m + t));
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
    if !S::HAS_MIN && !(S::WIDE && I::WIDE_IS_SIGNED) {
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

/// 16 outputs of one token, from rows as they lie.
#[inline(always)]
fn few_tokens<I: Isa, F: QuantFormat>(isa: I, rows: &[&[u8]; LANES], x: XRow<'_>) -> I::F32 {
    let num_units = rows[0].len() / F::UNIT_BYTES;
    let mut y = isa.splat(0.0);
    for u in 0..num_units {
        let units = std::array::from_fn(|r| &rows[r][u * F::UNIT_BYTES..][..F::UNIT_BYTES]);
        y = few_tokens_unit::<I, F>(isa, &units, u, x, y);
    }
    if rows[0].len() > num_units * F::UNIT_BYTES {
        let tails = tails::<F>(rows, num_units);
        let units = std::array::from_fn(|r| &tails[r][..F::UNIT_BYTES]);
        y = few_tokens_unit::<I, F>(isa, &units, num_units, x, y);
    }
    y
}

/// The last block of rows whose length is an odd number of blocks of 32, followed by a block of zeros.
#[inline(always)]
fn tails<F: QuantFormat>(rows: &[&[u8]; LANES], num_units: usize) -> [[u8; MAX_TAIL_BYTES]; LANES] {
    std::array::from_fn(|r| {
        let mut tail = [0; MAX_TAIL_BYTES];
        tail[..F::BLOCK_BYTES].copy_from_slice(&rows[r][num_units * F::UNIT_BYTES..]);
        tail
    })
}

#[inline(always)]
fn few_tokens_unit<I: Isa, F: QuantFormat>(
    isa: I,
    units: &[&[u8]; LANES],
    u: usize,
    x: XRow<'_>,
    mut y: I::F32,
) -> I::F32 {
    let (mut ws, mut wm) = ([[0.0; LANES]; MAX_GROUPS], [[0.0; LANES]; MAX_GROUPS]);
    F::scales_of_rows(isa, units, &mut ws, &mut wm);
    let (per_chunk, x_block) = (64 / F::GROUP, const { F::Shape::X_BLOCK });
    let chunks = &x.qs.as_flattened().as_chunks::<64>().0[u * (F::UNIT / 64)..][..F::UNIT / 64];
    let sums = &x.sums[u * (F::UNIT / F::GROUP)..][..F::UNIT / F::GROUP];
    let mut t = isa.splat(0.0);
    for (c, chunk) in chunks.iter().enumerate() {
        let xq = isa.load64(chunk);
        let quads = std::array::from_fn(|q| {
            isa.reduce4(std::array::from_fn(|r| {
                let (lo, hi) = F::codes(isa, units[4 * q + r], c);
                if const { F::Shape::WIDE } {
                    isa.dot64::<true>(lo, hi, xq)
                } else {
                    isa.dot64::<false>(lo, hi, xq)
                }
            }))
        });
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
fn unpack<I: Isa, F: QuantFormat>(isa: I, rows: &[&[u8]; LANES], scratch: &mut Scratch) {
    let num_units = rows[0].len() / F::UNIT_BYTES;
    for u in 0..num_units {
        let units = std::array::from_fn(|r| &rows[r][u * F::UNIT_BYTES..][..F::UNIT_BYTES]);
        unpack_unit::<I, F>(isa, &units, u, scratch);
    }
    if rows[0].len() > num_units * F::UNIT_BYTES {
        let tails = tails::<F>(rows, num_units);
        let units = std::array::from_fn(|r| &tails[r][..F::UNIT_BYTES]);
        unpack_unit::<I, F>(isa, &units, num_units, scratch);
    }
}

#[inline(always)]
fn unpack_unit<I: Isa, F: QuantFormat>(
    isa: I,
    units: &[&[u8]; LANES],
    u: usize,
    scratch: &mut Scratch,
) {
    let groups = u * (F::UNIT / F::GROUP)..(u + 1) * (F::UNIT / F::GROUP);
    F::scales_of_rows(
        isa,
        units,
        &mut scratch.scales[groups.clone()],
        &mut scratch.mins[groups],
    );
    for c in 0..F::UNIT / 64 {
        let mut codes = [[0; 64]; LANES];
        for (unit, codes) in units.iter().zip(&mut codes) {
            let (lo, hi) = F::codes(isa, unit, c);
            let (low, high) = codes.split_at_mut(32);
            isa.store32(lo, low.try_into().expect("32 bytes"));
            isa.store32(hi, high.try_into().expect("32 bytes"));
        }
        let at = (u * (F::UNIT / 64) + c) * LANES;
        let panel = scratch.codes[at..at + LANES]
            .first_chunk_mut()
            .expect("16 rows of the panel");
        isa.transpose_codes(&codes, panel);
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
            let xq: [&[[i8; 4]]; T] = std::array::from_fn(|t| &x[t].qs[group * quads..][..quads]);
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
