//! Many tokens: panels of unpacked codes that stay in the nearest cache and are used by all.

use std::marker::PhantomData;
use std::ops::Range;

use super::activations::{XStep, padded};
use super::int8::{Place, Unpacked};
use super::sums::{Source, all_of, each_group, each_sixteen, product_of_two};
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
        // An activation that is broadcast once for two strips leaves room for other loads, which float steps need: one
        // core of a Zen 4, 256 tokens, Q8_0 162 -> 172 GMAC/s, Q4_0 164 -> 174, Q4_1 151 -> 155, IQ4_XS 178 -> 184, but
        // Q6_K 167 -> 164. `if const`, so that other levels do not even compile it.
        let mut alone = 0;
        if const { I::DOTS_ONE_BY_ONE && I::TOKENS >= 8 && S::GROUP >= 32 } && self.m > I::TOKENS {
            alone = self.strips.len() / 2 * 2;
            self.by_twos(isa, alone);
        }
        for first in (0..self.m).step_by(I::TOKENS) {
            let tokens = first..self.m.min(first + I::TOKENS);
            for s in alone..self.strips.len() {
                self.one(isa, s, tokens.clone());
            }
        }
    }
}

/// Tokens whose sums for two strips registers hold; with whole scales there are those of half a step besides.
const fn tokens_of_two<S: CodeShape>() -> usize {
    if S::WHOLE_SCALES { 4 } else { 6 }
}

impl<S: CodeShape> Panels<'_, '_, S> {
    /// The first `count` strips, two at a time.
    #[inline(always)]
    fn by_twos<I: Isa>(&mut self, isa: I, count: usize) {
        let at_once = const { tokens_of_two::<S>() };
        for first in (0..self.m).step_by(at_once) {
            let tokens = first..self.m.min(first + at_once);
            for s in (0..count).step_by(2) {
                // The last few: by fours one strip at a time is less. (Not before: what it is padded with is computed along.)
                if tokens.len() + 2 <= at_once {
                    self.one(isa, s, tokens.clone());
                    self.one(isa, s + 1, tokens.clone());
                } else if const { S::WHOLE_SCALES } {
                    self.two::<I, 4>(isa, s, tokens.clone());
                } else {
                    self.two::<I, 6>(isa, s, tokens.clone());
                }
            }
        }
    }

    #[inline(always)]
    fn two<I: Isa, const T: usize>(&mut self, isa: I, s: usize, tokens: Range<usize>) {
        let [a, b] = self.strips[s..].first_chunk().expect("two strips");
        let (y, of_next) = self.y[s * padded(self.m)..].split_at_mut(padded(self.m));
        let x = self.x[tokens.start..].first_chunk::<T>();
        let y = y[tokens.start..].first_chunk_mut();
        let of_next = of_next[tokens.start..].first_chunk_mut();
        let padded = "tokens are padded";
        product_of_two::<I, S, T>(
            isa,
            [&a.panel, &b.panel],
            self.len,
            [&a.scales, &b.scales],
            x.expect(padded),
            [y.expect(padded), of_next.expect(padded)],
        );
        self.write(s, tokens.clone());
        self.write(s + 1, tokens);
    }

    #[inline(always)]
    fn one<I: Isa>(&mut self, isa: I, s: usize, tokens: Range<usize>) {
        let strip = &self.strips[s];
        let y = &mut self.y[s * padded(self.m) + tokens.start..];
        let source = &Panel(&strip.panel);
        let x = &self.x[tokens.start..];
        each_group::<I, S, _>(isa, source, self.len, &strip.scales, tokens.len(), x, y);
        self.write(s, tokens);
    }

    /// After the last step, results of strip `s`.
    #[inline(always)]
    fn write(&mut self, s: usize, tokens: Range<usize>) {
        if let Some((place, tile)) = &mut self.out {
            let y = &self.y[s * padded(self.m) + tokens.start..];
            place.write(tile, s, tokens, y);
        }
    }
}
