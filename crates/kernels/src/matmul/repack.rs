//! Repacked weights: the columns of 16 rows, stored, in as many bytes as the file has.
//!
//! Transposing is a third and more of what few tokens cost, and sixteen rows are sixteen streams through memory. A
//! *repacked* strip has what [`transpose`](super::int8) makes instead, after the fields that are not read by columns:
//!
//! ```text
//! [block][field][16 rows][its bytes]     [block][piece][4 columns][16 rows][4 bytes]
//! ```
//!
//! step by step, so that a strip is one stream, in the order in which it is read; or two steps at a time.
//!
//! Whatever multiplies with it sees the same columns, so results are the same bits.

use std::marker::PhantomData;

use super::{Task, Weight};
use crate::isa::{Isa, LANES, Op, Rows};
use crate::pool::Tile;
use crate::quant::{QuantFormat, STEP};
use crate::{Scratch, quant};

/// Part of a row: from byte `at` on, where a block begins, of row `row`, all of which are of `row_bytes`.
#[derive(Clone, Copy, Debug)]
pub struct RowPart {
    /// Which row.
    pub row: usize,
    /// Bytes of each row.
    pub row_bytes: usize,
    /// Where the part begins in it.
    pub at: usize,
}

/// What a quant type has for it at a level.
#[derive(Clone, Copy)]
pub(super) struct Repack {
    pub(super) run: fn(&Task<'_>, Tile<'_>, &mut Scratch),
    pub(super) pack: fn(&Weight<'_>, &mut [u8]),
    pub(super) row: fn(&[u8], RowPart, &mut [u8]),
}

impl Repack {
    pub(super) const fn of<I: Isa, F: QuantFormat>() -> Self {
        Self {
            run: const { super::int8::kernel::<I, F, true>() },
            pack: pack::<I::Plain, F>,
            row: row::<F>,
        }
    }
}

/// A repacked strip.
pub(super) struct Repacked<'a, F> {
    strip: &'a [u8],
    num_blocks: usize,
    format: PhantomData<F>,
}

impl<'a, F: QuantFormat> Repacked<'a, F> {
    /// The first strip of `data`, of `num_blocks` blocks a row.
    #[inline(always)]
    pub(super) fn new(data: &'a [u8], num_blocks: usize) -> Self {
        Self {
            strip: &data[..num_blocks * LANES * F::BLOCK_BYTES],
            num_blocks,
            format: PhantomData,
        }
    }

    /// Columns and fields of step `step`, and of what follows.
    #[inline(always)]
    pub(super) fn step(&self, step: usize) -> (&'a [[u8; 64]], &'a [u8]) {
        let first = step * const { STEP / F::BLOCK_LEN };
        let (columns, fields) = places::<F>(first, self.num_blocks);
        (self.strip[columns..].as_chunks().0, &self.strip[fields..])
    }
}

/// Blocks whose columns come together, and their fields before them: a step, or two if a step is no whole number of cache
/// lines, as columns are not to be astride of them. (With all fields at a strip's end they came late, as columns are what
/// is asked for ahead: 1.5B of Q6_K, one thread, 15.3 instead of 16.7 tokens/s, and eight at a time 65 instead of 72.)
const fn together<F: QuantFormat>() -> usize {
    let in_step = STEP / F::BLOCK_LEN;
    match (in_step * LANES * F::BLOCK_BYTES).is_multiple_of(64) {
        true => in_step,
        false => 2 * in_step,
    }
}

/// Where columns and fields of block `block` begin in a strip.
#[inline(always)]
fn places<F: QuantFormat>(block: usize, num_blocks: usize) -> (usize, usize) {
    let together = const { together::<F>() };
    let (first, columns) = (block / together * together, 64 * per_block::<F>());
    let (start, inside) = (first * LANES * F::BLOCK_BYTES, block - first);
    let (count, bytes) = (together.min(num_blocks - first), field_bytes::<F>());
    // The last few may have fields of no whole number of lines, which would put columns astride of lines.
    let fields_first = (count * bytes).is_multiple_of(64);
    let (before, after) = if fields_first {
        (count * bytes, 0)
    } else {
        (0, count * columns)
    };
    (
        start + before + inside * columns,
        start + after + inside * bytes,
    )
}

/// Columns of a block.
#[inline(always)]
pub(super) fn per_block<F: QuantFormat>() -> usize {
    const { quant::stored_columns(F::PIECES) }
}

/// Bytes of 16 blocks that are in no column.
#[inline(always)]
pub(super) fn field_bytes<F: QuantFormat>() -> usize {
    const { LANES * (F::BLOCK_BYTES - 4 * quant::stored_columns(F::PIECES)) }
}

/// Repacks `weight` into as many bytes.
fn pack<I: Isa, F: QuantFormat>(weight: &Weight<'_>, out: &mut [u8]) {
    let isa = I::get().expect("the kernel was chosen for this CPU");
    isa.run(Pack::<F> {
        weight,
        out,
        format: PhantomData,
    });
}

/// Blocks of a repacked row, as they were.
fn row<F: QuantFormat>(data: &[u8], part: RowPart, out: &mut [u8]) {
    let RowPart { row, row_bytes, at } = part;
    let strip_bytes = LANES * row_bytes;
    let strip = &data[row / LANES * strip_bytes..][..strip_bytes];
    let row = row % LANES;
    for (b, block) in out.chunks_exact_mut(F::BLOCK_BYTES).enumerate() {
        let b = at / F::BLOCK_BYTES + b;
        let (columns, fields) = places::<F>(b, row_bytes / F::BLOCK_BYTES);
        let columns = strip[columns..].as_chunks::<64>().0;
        for (p, &piece) in F::PIECES.iter().enumerate() {
            let columns = &columns[quant::column_place(F::PIECES, 4 * p)..][..4];
            for (column, four) in columns.iter().zip(block[piece..].as_chunks_mut::<4>().0) {
                four.copy_from_slice(&column[4 * row..][..4]);
            }
        }
        for &(at, len) in F::FIELDS {
            let from = fields + LANES * quant::field_place(F::PIECES, at) + row * len;
            block[at..][..len].copy_from_slice(&strip[from..][..len]);
        }
    }
}

struct Pack<'a, F> {
    weight: &'a Weight<'a>,
    out: &'a mut [u8],
    format: PhantomData<F>,
}

impl<F: QuantFormat> Op for Pack<'_, F> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let num_blocks = self.weight.k / F::BLOCK_LEN;
        let strip_bytes = LANES * num_blocks * F::BLOCK_BYTES;
        let strips = self.weight.data.chunks_exact(strip_bytes);
        for (strip, out) in strips.zip(self.out.chunks_exact_mut(strip_bytes)) {
            let rows = Rows::new(strip, num_blocks * F::BLOCK_BYTES);
            for b in 0..num_blocks {
                let block = b * F::BLOCK_BYTES;
                let (columns, fields) = places::<F>(b, num_blocks);
                let columns = out[columns..].as_chunks_mut::<64>().0;
                for p in 0..F::PIECES.len() {
                    let four = isa.columns(&rows, block + F::PIECES[p]);
                    let columns = &mut columns[quant::column_place(F::PIECES, 4 * p)..];
                    for i in 0..4 {
                        isa.store_codes(four[i], &mut columns[i]);
                    }
                }
                let fields = &mut out[fields..][..field_bytes::<F>()];
                for &(at, len) in F::FIELDS {
                    let to = LANES * quant::field_place(F::PIECES, at);
                    for r in 0..LANES {
                        let from = r * num_blocks * F::BLOCK_BYTES + block + at;
                        fields[to + r * len..][..len].copy_from_slice(&strip[from..from + len]);
                    }
                }
            }
        }
    }
}
