//! Weights as they lie, or repacked: where codes of a step are read from, and what is asked for on the way.

use std::marker::PhantomData;

use super::activations::XStep;
use super::repack::{field_bytes, per_block};
use super::sums::Source;
use crate::isa::{Isa, LANES, Rows};
use crate::quant::{Block, QuantFormat, Tables};

/// One step of sixteen rows.
#[derive(Clone, Copy)]
pub(super) struct Step<'a> {
    pub(super) rows: &'a Rows<'a>,
    /// Where it begins in each row.
    pub(super) at: usize,
    /// Its columns, unless they are to be made as they are used.
    pub(super) columns: Option<&'a [[u8; 64]]>,
    /// Of repacked rows, what is in no column.
    pub(super) fields: Option<&'a [u8]>,
}

impl<'a> Step<'a> {
    /// Block `b` of it.
    #[inline(always)]
    pub(super) fn block<F: QuantFormat>(&self, b: usize, span: usize) -> Block<'a> {
        let per_block = match self.fields {
            Some(_) => per_block::<F>(),
            None => 4 * F::PIECES.len(),
        };
        Block {
            rows: self.rows,
            at: self.at + b * F::BLOCK_BYTES,
            columns: match self.columns {
                Some(columns) => Some(&columns[b * per_block..][..per_block]),
                None => None,
            },
            pieces: F::PIECES,
            fields: match self.fields {
                Some(fields) => Some(&fields[b * field_bytes::<F>()..][..field_bytes::<F>()]),
                None => None,
            },
            span,
            next: None,
        }
    }
}

/// Codes still in their blocks.
pub(super) struct Packed<'a, F, const ASKS: bool> {
    step: &'a Step<'a>,
    tables: &'a Tables,
    /// See [`products`].
    ahead: [usize; 2],
    format: PhantomData<F>,
}

impl<'a, F: QuantFormat, const ASKS: bool> Packed<'a, F, ASKS> {
    #[inline(always)]
    pub(super) fn new(step: &'a Step<'a>, ahead: [usize; 2], tables: &'a Tables) -> Self {
        Self {
            step,
            tables,
            ahead,
            format: PhantomData,
        }
    }

    /// The block of a span.
    #[inline(always)]
    fn block(&self, span: usize) -> Block<'a> {
        let spans = F::BLOCK_LEN / F::SPAN;
        self.step.block::<F>(span / spans, span % spans)
    }
}

impl<'a, I: Isa, F: QuantFormat, const ASKS: bool> Source<I> for Packed<'a, F, ASKS> {
    type Span = Block<'a>;
    const SPAN: usize = F::SPAN;
    const BYTES: usize = LANES * F::SPAN * F::BLOCK_BYTES / F::BLOCK_LEN;
    const TOGETHER: usize = F::TOGETHER;

    #[inline(always)]
    fn span(&self, span: usize) -> Block<'a> {
        self.block(span)
    }

    #[inline(always)]
    fn sixteen<const S: usize>(&self, isa: I, span: Block<'a>) -> [I::B64; 4] {
        F::codes::<I, S>(isa, span, self.tables)
    }

    #[inline(always)]
    fn together(&self, isa: I, span: Block<'a>) -> [[I::B64; 4]; 4] {
        F::together(isa, span, self.tables)
    }

    #[inline(always)]
    fn ahead(&self, first: bool) -> usize {
        self.ahead[usize::from(!first)]
    }

    #[inline(always)]
    fn ask<'x, X, const T: usize>(
        &self,
        isa: I,
        ahead: usize,
        quarter: usize,
        mut span: Block<'a>,
        mut x: &'x X,
    ) -> (Block<'a>, &'x X) {
        if const { !ASKS } {
            return (span, x);
        }
        // Each line once: what is asked for takes a place among what may be under way, twice as well.
        let lines = <Self as Source<I>>::BYTES.div_ceil(64);
        let quarters = F::SPAN / 4;
        let (first, end) = (quarter * lines / quarters, (quarter + 1) * lines / quarters);
        let at = (self.step.rows.data(), ahead + 64 * first);
        macro_rules! ask {
            ($i:literal) => {
                if first + $i < end {
                    let at = (at.0, at.1 + 64 * $i);
                    if T == 1 {
                        isa.prefetch_here(at.0, at.1);
                    } else if let Some(columns) = span.columns {
                        let (then, columns) = isa.prefetch_then(at, x, columns);
                        (x, span.columns) = (then, Some(columns));
                    } else {
                        (x, _) = isa.prefetch_then::<_, u8>(at, x, &[]);
                    }
                }
            };
        }
        const { assert!(LANES * F::BLOCK_BYTES / F::BLOCK_LEN <= 32, "two lines") };
        ask!(0);
        ask!(1);
        (span, x)
    }

    const WHOLE: bool = F::WHOLE;

    #[inline(always)]
    fn whole(&self, isa: I, x: &XStep) -> I::I32 {
        let block = Block {
            next: if const { ASKS } {
                Some(self.ahead[0])
            } else {
                None
            },
            ..self.block(0)
        };
        F::whole(isa, block, self.tables, &x.qs, &x.minus16)
    }
}
