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
//! *Repacked* weights have their columns in the file's stead: see `repack.rs`. Nothing else differs, so neither do the
//! bits.
//!
//! Integer sums are exact, so how they come about does not matter; the float operations after them are
//! the same function, [`Sums::sixteen`](super::sums::Sums::sixteen), in both. Results live in memory between steps.

use std::marker::PhantomData;
use std::ops::Range;

use super::activations::{Int8, XStep, padded};
use super::packed::{Packed, Step};
use super::panels::{Panels, unpack};
use super::repack::Repacked;
use super::sums::{each_group, product};
use super::tiles::{self, PlaneSums, TilePanels, make_int8, unpack_planes};
use super::{Task, XKind};
use crate::isa::{self, Isa, LANES, Op, Rows, Tiles};
use crate::pool::Tile;
use crate::quant::{CodeShape, Columns, QuantFormat, STEP, Scales};
use crate::{Lines, Scratch};

/// Up to this many tokens meet codes in registers.
pub(super) const FEW_TOKENS: usize = 32;
/// Tokens whose results are under way at a time, and strips that share a pass over them.
const TOKENS: usize = 256;
pub(super) const STRIPS: usize = 4;
/// How far ahead repacked weights are asked for: from 16 to 64 KiB make no difference, less is slower.
const AHEAD: usize = 32 * 1024;
/// Bytes of a strip that are asked for in one go where none came before it.
const MAX_AT_ONCE: usize = 32 * 1024;

pub(super) const fn x_kind<F: QuantFormat>() -> XKind {
    if F::Shape::X_BLOCK == 32 {
        XKind::Per32
    } else {
        XKind::Per256
    }
}

/// A thread's room.
pub(crate) struct Room {
    columns: Lines<[u8; 64]>,
    strips: Vec<Unpacked>,
    /// Results under way: `[strip][token][row]`.
    y: Lines<[f32; LANES]>,
    /// Address of the strip that has been asked for: the one after the last.
    fetched: usize,
    /// Whether one token asks for repacked weights that lie in order.
    asks_alone: bool,
    tiles: Option<Tiles>,
    tile_sums: Box<PlaneSums>,
}

/// What one step of one strip is unpacked to.
#[repr(align(64))]
pub(super) struct Unpacked {
    pub(super) scales: Scales,
    pub(super) panel: [[u8; 64]; STEP / 4],
    /// For tiles, of formats with whole scales: see [`unpack_planes`].
    pub(super) high: [[u8; 64]; STEP / 4],
}

impl Room {
    /// For a level with tiles or without.
    pub(crate) fn new(tiles: Option<Tiles>) -> Self {
        let strip = |_| Unpacked {
            scales: Scales::new(),
            panel: [[0; 64]; STEP / 4],
            high: [[0; 64]; STEP / 4],
        };
        Self {
            columns: Lines::new([0; 64], 64),
            strips: (0..STRIPS).map(strip).collect(),
            y: Lines::new([0.0; LANES], STRIPS * padded(TOKENS)),
            fetched: 0,
            asks_alone: !isa::streams_alone(),
            tiles,
            tile_sums: Box::new(PlaneSums::ZERO),
        }
    }
}

/// What computes a tile; codebook formats use all that a level has. `R`: the weights are repacked.
pub(super) const fn kernel<I: Isa, F: QuantFormat, const R: bool>()
-> fn(&Task<'_>, Tile<'_>, &mut Scratch) {
    if const { F::BOOK } {
        task::<I, F, R>
    } else {
        task::<I::Plain, F, R>
    }
}

fn task<I: Isa, F: QuantFormat, const R: bool>(
    task: &Task<'_>,
    tile: Tile<'_>,
    scratch: &mut Scratch,
) {
    let isa = I::get().expect("the kernel was chosen for this CPU");
    isa.run(TileOp::<F, R> {
        task,
        tile,
        room: &mut scratch.int8,
        format: PhantomData,
    });
}

struct TileOp<'a, F, const R: bool> {
    task: &'a Task<'a>,
    tile: Tile<'a>,
    room: &'a mut Room,
    format: PhantomData<F>,
}

impl<F: QuantFormat, const R: bool> Op for TileOp<'_, F, R> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(mut self, isa: I) {
        let x = self.task.activations.form(const { x_kind::<F>() });
        let tokens = self.tile.rows.clone();
        for first in tokens.clone().step_by(TOKENS) {
            let (m, x_first) = (TOKENS.min(tokens.end - first), self.task.x_row(first));
            let few = I::TOKENS > 1 && (m == 1 || F::CHEAP && m <= FEW_TOKENS);
            let at_once = if few { 1 } else { STRIPS } * self.strip_len();
            for col in self.tile.cols.clone().step_by(at_once) {
                let end = self.tile.cols.end.min(col + at_once);
                let place = self.place(first, col, end);
                if few {
                    self.few_tokens(isa, x, x_first, m, col);
                    place.write(&mut self.tile, 0, 0..m, &self.room.y);
                } else {
                    self.many_tokens(isa, x, x_first, m, col, end, place);
                }
            }
        }
    }
}

impl Task<'_> {
    /// Weights of step `step`.
    #[inline(always)]
    fn len(&self, step: usize) -> usize {
        STEP.min(self.weight.k - step * STEP)
    }
}

impl<'a, F: QuantFormat, const R: bool> TileOp<'a, F, R> {
    /// Rows of a strip that give results of their own: fewer than 16 rows are taken one by one.
    #[inline(always)]
    fn strip_len(&self) -> usize {
        if self.task.weight.n < LANES { 1 } else { LANES }
    }

    /// First of the 16 rows that are computed for rows `col ..`: the last strip overlaps the one before.
    #[inline(always)]
    fn strip_start(&self, col: usize) -> usize {
        match self.task.weight.n.checked_sub(LANES) {
            Some(last) => col.min(last),
            None => col,
        }
    }

    /// The strip of rows `col ..`.
    #[inline(always)]
    fn rows(&self, col: usize) -> Rows<'a> {
        let row_bytes = self.task.row_bytes;
        let stride = if self.strip_len() == 1 { 0 } else { row_bytes };
        Rows::new(
            &self.task.weight.data[self.strip_start(col) * row_bytes..],
            stride,
        )
    }

    /// What a strip has in its rows' stead, if it is repacked.
    #[inline(always)]
    fn repacked(&self, rows: &Rows<'a>) -> Option<Repacked<'a, F>> {
        let num_blocks = self.task.weight.k / F::BLOCK_LEN;
        if R {
            Some(Repacked::new(rows.data(), num_blocks))
        } else {
            None
        }
    }

    #[inline(always)]
    fn few_tokens<I: Isa>(&mut self, isa: I, x: &Int8, first: usize, m: usize, col: usize) {
        let rows = &self.rows(col);
        let repacked = self.repacked(rows);
        let Room {
            columns,
            strips,
            y,
            fetched,
            asks_alone,
            ..
        } = &mut *self.room;
        let (here, strip_bytes) = (rows.data().as_ptr().addr(), LANES * self.task.row_bytes);
        // Alone, a token takes lines as fast as they come, on some CPUs; several compute too long between them (eight of
        // 1.5B Q4_K_M: 149 tokens/s, 116 without asking).
        let asks = *asks_alone || !(const { R && F::IN_ORDER } && m == 1);
        if asks && *fetched != here {
            prefetch(isa, rows.data(), 0, strip_bytes.min(MAX_AT_ONCE));
        }
        *fetched = here + strip_bytes;
        let y = &mut y[..padded(m)];
        let columns = columns.first_chunk_mut().expect("a step's columns");
        clear(isa, y);
        let row_step = STEP / F::BLOCK_LEN * F::BLOCK_BYTES;
        let num_steps = self.task.weight.k.div_ceil(STEP);
        for step in 0..num_steps {
            let (len, at) = (self.task.len(step), step * row_step);
            let scales = &mut strips[0].scales;
            // A strip is a stretch of memory: ask for the same part of the next one, line after line; if columns are
            // used as they are made, bit by bit between products (see `Source::ask`): a core waits while more lines are
            // asked for than it can have under way. Repacked, all is one stream.
            // (Asking for a strip's own rows a little ahead does not help: sixteen streams are slow.)
            let distance = if R { AHEAD } else { strip_bytes };
            let here = step * LANES * row_step;
            let ahead = [distance + here, here];
            let x = &x.step(step)[first..];
            let at_once = if R {
                F::WHOLE && !F::WHOLE_ASKS && m == 1
            } else {
                F::STORE_COLUMNS || F::WHOLE
            };
            if at_once {
                prefetch(isa, rows.data(), ahead[0], LANES * row_step);
            }
            let (columns, fields) = if let Some(repacked) = &repacked {
                let (columns, fields) = repacked.step(step);
                (Some(columns), Some(fields))
            // Where a column is used once or twice, making it then is cheaper than storing it.
            } else if F::STORE_COLUMNS || F::WHOLE && m > 1 {
                transpose::<I, F>(isa, rows, at, len, columns);
                (Some(&columns[..]), None)
            } else {
                (None, None)
            };
            let step = &Step {
                rows,
                at,
                columns,
                fields,
            };
            if const { R && F::IN_ORDER } && m == 1 && !asks {
                products::<I, F, false>(isa, step, ahead, len, scales, 1, x, y);
            } else if const { R || !(F::STORE_COLUMNS || F::WHOLE) } {
                products::<I, F, true>(isa, step, ahead, len, scales, m, x, y);
            } else {
                products::<I, F, false>(isa, step, ahead, len, scales, m, x, y);
            }
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
        place: Place,
    ) {
        let num_strips = (end - col).div_ceil(self.strip_len());
        let num_steps = self.task.weight.k.div_ceil(STEP);
        clear(isa, &mut self.room.y[..num_strips * padded(m)]);
        let tiles =
            if const { I::TOKENS >= 8 && tiles::pays::<F::Shape>() } && m >= tiles::MIN_TOKENS {
                self.room.tiles
            } else {
                None
            };
        for step in 0..num_steps {
            let is_last = step + 1 == num_steps;
            let len = self.task.len(step);
            let at = step * (STEP / F::BLOCK_LEN) * F::BLOCK_BYTES;
            for s in 0..num_strips {
                let rows = &self.rows(col + s * self.strip_len());
                let repacked = self.repacked(rows);
                // As with few tokens, the same part of the next strips, one after the other.
                let step_bytes = LANES * (STEP / F::BLOCK_LEN) * F::BLOCK_BYTES;
                let ahead = num_strips * LANES * self.task.row_bytes + step * step_bytes;
                prefetch(isa, rows.data(), ahead, step_bytes);
                let Room {
                    columns, strips, ..
                } = &mut *self.room;
                let columns = columns.first_chunk_mut().expect("a step's columns");
                let Unpacked {
                    scales,
                    panel,
                    high,
                } = &mut strips[s];
                let (columns, fields) = match &repacked {
                    Some(repacked) => {
                        let (columns, fields) = repacked.step(step);
                        (columns, Some(fields))
                    }
                    None => {
                        transpose::<I, F>(isa, rows, at, len, columns);
                        (&columns[..], None)
                    }
                };
                let step = &Step {
                    rows,
                    at,
                    columns: Some(columns),
                    fields,
                };
                read_scales::<I, F>(isa, step, len, scales);
                let source = Packed::<F, false>::new(step, [0, 0], &scales.tables);
                if F::Shape::WHOLE_SCALES && tiles.is_some() {
                    unpack_planes(isa, &source, scales, panel, high);
                    continue;
                }
                unpack(isa, &source, len, panel);
                if tiles.is_some() {
                    make_int8::<I, F::Shape>(isa, panel);
                }
            }
            let Room {
                strips,
                y,
                tile_sums,
                ..
            } = &mut *self.room;
            let (strips, y) = (&strips[..num_strips], &mut y[..]);
            let x = &x.step(step)[first..];
            let out = is_last.then_some((place, &mut self.tile));
            let shape = PhantomData::<F::Shape>;
            if let Some(tiles) = tiles {
                isa.run(TilePanels {
                    tiles,
                    strips,
                    len,
                    m,
                    x,
                    y,
                    sums: &mut tile_sums.0,
                    out,
                    shape,
                });
            } else {
                isa.run(Panels {
                    strips,
                    len,
                    m,
                    x,
                    y,
                    out,
                    shape,
                });
            }
        }
    }

    /// Where results of rows `col .. end` and tokens `first ..` go.
    #[inline(always)]
    fn place(&self, first: usize, col: usize, end: usize) -> Place {
        let strip_len = self.strip_len();
        let last = col + (end - col - 1) / strip_len * strip_len;
        Place {
            first,
            start: col - self.tile.cols.start,
            end: end - self.tile.cols.start,
            strip_len,
            lane: last - self.strip_start(last),
        }
    }
}

/// Where results of some strips and tokens go.
#[derive(Clone, Copy)]
pub(super) struct Place {
    first: usize,
    /// Columns of the tile.
    start: usize,
    end: usize,
    strip_len: usize,
    /// Where the last strip's own rows begin: all others are whole.
    lane: usize,
}

impl Place {
    /// Results `y` of `tokens` of strip `s`.
    #[inline(always)]
    pub(super) fn write(
        &self,
        tile: &mut Tile<'_>,
        s: usize,
        tokens: Range<usize>,
        y: &[[f32; LANES]],
    ) {
        let from = self.start + s * self.strip_len;
        let len = self.strip_len.min(self.end - from);
        for (i, t) in tokens.enumerate() {
            let out = &mut tile.row(self.first + t)[from..][..len];
            // Of a whole strip without a call: there are as many as tokens times strips.
            match out.as_mut_array::<LANES>() {
                Some(out) => *out = y[i],
                None => out.copy_from_slice(&y[i][self.lane..][..len]),
            }
        }
    }
}

/// Zeros, in the level's own vectors: `fill` was a thirtieth of a step of eight tokens.
#[inline(always)]
fn clear<I: Isa>(isa: I, y: &mut [[f32; LANES]]) {
    for y in y {
        isa.store(isa.splat(0.0), y);
    }
}

/// Asks for `len` bytes at `at`, which may lie beyond the end.
#[inline(always)]
fn prefetch<I: Isa>(isa: I, data: &[u8], at: usize, len: usize) {
    for line in 0..len.div_ceil(64) {
        isa.prefetch(data, at + 64 * line);
    }
}

/// One step of few tokens; if `ASKS`, what begins at the first of `ahead` is asked for on the way. (The other is where
/// the step itself lies: asking for that costs next to nothing.)
#[inline(always)]
fn products<I: Isa, F: QuantFormat, const ASKS: bool>(
    isa: I,
    step: &Step<'_>,
    ahead: [usize; 2],
    len: usize,
    scales: &mut Scales,
    m: usize,
    x: &[XStep],
    y: &mut [[f32; LANES]],
) {
    read_scales::<I, F>(isa, step, len, scales);
    let scales = &*scales;
    let source = &Packed::<F, ASKS>::new(step, ahead, &scales.tables);
    if F::CHEAP {
        each_group::<I, F::Shape, _>(isa, source, len, scales, m, x, y);
    } else {
        let (x, y) = (x.first_chunk(), y.first_chunk_mut());
        let (x, y) = (x.expect("one token"), y.expect("one token"));
        product::<I, F::Shape, _, 1>(isa, source, len, scales, true, x, y);
    }
}

/// Columns of a step.
#[inline(always)]
fn transpose<I: Isa, F: QuantFormat>(
    isa: I,
    rows: &Rows<'_>,
    at: usize,
    len: usize,
    columns: &mut Columns,
) {
    let per_block = 4 * F::PIECES.len();
    for b in 0..len / F::BLOCK_LEN {
        let columns = columns[b * per_block..][..per_block].as_chunks_mut::<4>().0;
        for p in 0..F::PIECES.len() {
            let four = isa.columns(rows, at + b * F::BLOCK_BYTES + F::PIECES[p]);
            for i in 0..4 {
                isa.store_codes(four[i], &mut columns[p][i]);
            }
        }
    }
}

/// Scales of a step.
#[inline(always)]
fn read_scales<I: Isa, F: QuantFormat>(isa: I, step: &Step<'_>, len: usize, scales: &mut Scales) {
    for b in 0..len / F::BLOCK_LEN {
        let block = step.block::<F>(b, 0);
        F::scales(isa, block, b * F::BLOCK_LEN / F::Shape::GROUP, scales);
    }
}
