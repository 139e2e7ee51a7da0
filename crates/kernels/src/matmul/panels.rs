//! Many tokens: panels of unpacked codes that stay in the nearest cache and are used by all.

use std::marker::PhantomData;

use super::activations::{XStep, padded};
use super::int8::{Place, Unpacked};
use super::sums::{Source, all_of, each_group, each_sixteen};
use crate::isa::{Isa, LANES, Op};
use crate::pool::Tile;
use crate::quant::{CodeShape, STEP};

/// Codes of a panel.
struct Panel<'a>(&'a [[u8; 64]; STEP / 4]);

impl<'a, I: Isa> Source<I> for Panel<'a> {
    type Span = &'a [[u8; 64]; 8];
    const SPAN: usize = 32;
    const BYTES: usize = 8 * 64;

    #[inline(always)]
    fn span(&self, span: usize) -> &'a [[u8; 64]; 8] {
        let rest = &self.0[8 * span..];
        rest.first_chunk().expect("a panel holds a step")
    }

    #[inline(always)]
    fn sixteen<const S: usize>(&self, isa: I, span: &[[u8; 64]; 8]) -> [I::B64; 4] {
        let [a, b, c, d] = span[4 * S..].first_chunk().expect("two sixteens");
        [
            isa.load_codes(a),
            isa.load_codes(b),
            isa.load_codes(c),
            isa.load_codes(d),
        ]
    }

    fn together(&self, _: I, _: &[[u8; 64]; 8]) -> [[I::B64; 4]; 4] {
        unreachable!("codes of a panel are loaded one by one")
    }

    fn whole(&self, _: I, _: &XStep) -> I::I32 {
        unreachable!("codes of a panel are loaded one by one")
    }
}

#[inline(always)]
pub(super) fn unpack<I: Isa, C: Source<I>>(
    isa: I,
    source: &C,
    len: usize,
    panel: &mut [[u8; 64]; STEP / 4],
) {
    for span in 0..len / C::SPAN {
        let here = source.span(span);
        let all = all_of(isa, source, here);
        macro_rules! store {
            ($s:literal) => {
                let codes = match all {
                    Some(all) => all[$s % 4],
                    None => source.sixteen::<$s>(isa, here),
                };
                let at = span * C::SPAN / 4 + 4 * $s;
                let out: &mut [[u8; 64]; 4] =
                    (&mut panel[at..at + 4]).try_into().expect("four columns");
                for i in 0..4 {
                    isa.store_codes(codes[i], &mut out[i]);
                }
            };
        }
        each_sixteen!(C::SPAN, store);
    }
}

/// All tokens times all strips' panels; `y` is `[strip][token]`. An operation of its own, so that formats
/// of one shape share its code.
pub(super) struct Panels<'a, 'b, S> {
    pub(super) strips: &'a [Unpacked],
    pub(super) len: usize,
    pub(super) m: usize,
    /// Tokens, padded.
    pub(super) x: &'a [XStep],
    pub(super) y: &'a mut [[f32; LANES]],
    /// After the last step, where sums go. Group by group, so that stores, to lines that are far away, run beside the
    /// products of the next group.
    pub(super) out: Option<(Place, &'a mut Tile<'b>)>,
    pub(super) shape: PhantomData<S>,
}

impl<S: CodeShape> Op for Panels<'_, '_, S> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(mut self, isa: I) {
        for first in (0..self.m).step_by(I::TOKENS) {
            let m = I::TOKENS.min(self.m - first);
            for s in 0..self.strips.len() {
                let strip = &self.strips[s];
                let y = &mut self.y[s * padded(self.m) + first..];
                let source = &Panel(&strip.panel);
                let x = &self.x[first..];
                each_group::<I, S, _>(isa, source, self.len, &strip.scales, m, x, y);
                if let Some((place, tile)) = &mut self.out {
                    place.write(tile, s, first..first + m, y);
                }
            }
        }
    }
}
