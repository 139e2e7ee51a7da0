//! Many tokens by tiles of sixteen: the panels of `panels.rs`, with what makes sums of them in one instruction.

use std::marker::PhantomData;

use super::activations::{XStep, padded};
use super::int8::{Place, Unpacked};
use super::sums::{Source, Sums, each_sixteen, finish_total};
use crate::isa::{Isa, LANES, Op, Ready, ReadyForPlanes, Tiles};
use crate::pool::Tile;
use crate::quant::{CodeShape, STEP, Scales};

/// Fewer tokens are left to vectors: a tile takes as long for one as for sixteen.
pub(super) const MIN_TOKENS: usize = 12;

/// Whether tiles are faster than vectors: sums must be stored and loaded for each group, which groups of 16 are too
/// small for (Q6_K, 256 tokens: 235 GMAC/s a core, without 230; Q4_0 356, 242; Q3_K 760, 302).
pub(super) const fn pays<S: CodeShape>() -> bool {
    S::GROUP >= 32
}

/// Sums of sixteen tokens by sixteen rows.
type TileSums = [[i32; LANES]; LANES];

/// Sums of two times sixteen tokens by sixteen rows, in two planes, low and high.
#[repr(align(64))]
pub(super) struct PlaneSums(pub(super) [[TileSums; 2]; 2]);

impl PlaneSums {
    pub(super) const ZERO: Self = Self([[[[0; LANES]; LANES]; 2]; 2]);
}

/// Codes times whole scales in two planes of int8, `code * sc = low + 8 * high`: sums of all groups of a step are one
/// then, and need storing once. (Storing a tile takes twice as long as a product of it.)
#[inline(always)]
pub(super) fn unpack_planes<I: Isa, C: Source<I>>(
    isa: I,
    source: &C,
    scales: &Scales,
    low: &mut [[u8; 64]; STEP / 4],
    high: &mut [[u8; 64]; STEP / 4],
) {
    for span in 0..STEP / C::SPAN {
        let here = source.span(span);
        macro_rules! unpack {
            ($s:literal) => {
                let codes = source.sixteen::<$s>(isa, here);
                let at = span * C::SPAN / 4 + 4 * $s;
                let sc = isa.to_i32(isa.load(&scales.ws[at / 8]));
                let low_sc = isa.and_i32(sc, isa.splat_i32(7));
                let high_sc = isa.shr_i32::<3>(sc);
                for i in 0..4 {
                    // Up to 15 times 7.
                    isa.store_codes(isa.mul_codes(codes[i], low_sc), &mut low[at + i]);
                    isa.store_codes(isa.mul_codes(codes[i], high_sc), &mut high[at + i]);
                }
            };
        }
        each_sixteen!(C::SPAN, unpack);
    }
}

/// Whether codes less their bias are int8, so that nothing is left to subtract from their sums. (Q3_K's go up to 128.)
const fn is_int8<S: CodeShape>() -> bool {
    S::MAX - S::BIAS <= 127
}

/// Makes codes int8 if they can be.
#[inline(always)]
pub(super) fn make_int8<I: Isa, S: CodeShape>(isa: I, panel: &mut [[u8; 64]; STEP / 4]) {
    if S::BIAS > 0 && is_int8::<S>() {
        for codes in panel {
            isa.store_codes(isa.sub8(isa.load_codes(codes), isa.splat8(S::BIAS)), codes);
        }
    }
}

/// All tokens times all strips' panels, as [`Panels`](super::panels::Panels).
pub(super) struct TilePanels<'a, 'b, S> {
    pub(super) tiles: Tiles,
    pub(super) strips: &'a [Unpacked],
    pub(super) len: usize,
    pub(super) m: usize,
    /// Tokens, padded.
    pub(super) x: &'a [XStep],
    pub(super) y: &'a mut [[f32; LANES]],
    pub(super) sums: &'a mut [[TileSums; 2]; 2],
    /// After the last step, where sums go.
    pub(super) out: Option<(Place, &'a mut Tile<'b>)>,
    pub(super) shape: PhantomData<S>,
}

impl<S: CodeShape> Op for TilePanels<'_, '_, S> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(mut self, isa: I) {
        if S::WHOLE_SCALES {
            return self.planes(isa);
        }
        let tiles = self.tiles.ready();
        for first in (0..self.m).step_by(LANES) {
            let x = self.x[first..].first_chunk().expect("tokens are padded");
            for s in 0..self.strips.len() {
                let strip = &self.strips[s];
                let y = &mut self.y[s * padded(self.m) + first..];
                let y = y.first_chunk_mut().expect("tokens are padded");
                let sums = &mut self.sums[0];
                // Known when this is compiled, but for the end of a row.
                if self.len == STEP {
                    product::<I, S>(isa, &tiles, strip, STEP, x, y, sums);
                } else {
                    product::<I, S>(isa, &tiles, strip, self.len, x, y, sums);
                }
                if let Some((place, tile)) = &mut self.out {
                    let last = self.m.min(first + LANES);
                    place.write(tile, s, first..last, y);
                }
            }
        }
    }
}

/// Tokens whose sums in two planes are made at a time.
const PLANE_TOKENS: usize = 2 * LANES;

impl<S: CodeShape> TilePanels<'_, '_, S> {
    /// With whole scales: 32 tokens at a time. Quarter by quarter, products of the next beside floats of those before:
    /// both take as long, and a core looks no further ahead. (One after the other 370 GMAC/s, each alone 700.)
    #[inline(always)]
    fn planes<I: Isa>(&mut self, isa: I) {
        let tiles = &self.tiles.ready_for_planes();
        let num_strips = self.strips.len();
        let (mut first, mut s) = (0, 0);
        let mut before = None;
        while first < self.m || before.is_some() {
            let is_any = first < self.m;
            if is_any {
                tiles.clear();
            }
            for quarter in 0..4 {
                if is_any {
                    self.quarter(tiles, first, s, quarter);
                }
                if let Some((first, s)) = before {
                    self.finish_quarter(isa, first, s, quarter);
                }
            }
            before = None;
            if is_any {
                tiles.store(self.sums);
                before = Some((first, s));
                s += 1;
                if s == num_strips {
                    (first, s) = (first + PLANE_TOKENS, 0);
                }
            }
        }
    }

    /// Products of a quarter of the numbers of strip `s` and tokens `first ..`.
    #[inline(always)]
    fn quarter(&self, tiles: &ReadyForPlanes, first: usize, s: usize, quarter: usize) {
        let strip = &self.strips[s];
        let x = &self.x[first..];
        let a: &[XStep; LANES] = x.first_chunk().expect("tokens are padded");
        // Twice the same where there are no more.
        let b: &[XStep; LANES] = match x.split_at_checked(LANES) {
            Some((_, more)) => more.first_chunk().unwrap_or(a),
            None => a,
        };
        tiles.multiply([a, b], &strip.panel, &strip.high, quarter);
    }

    /// What sums of a quarter of the tokens come to.
    #[inline(always)]
    fn finish_quarter<I: Isa>(&mut self, isa: I, first: usize, s: usize, quarter: usize) {
        const TOKENS: usize = PLANE_TOKENS / 4;
        let first = first + quarter * TOKENS;
        if first >= self.m {
            return;
        }
        let scales = &self.strips[s].scales;
        let half = &self.sums[quarter / 2];
        let at = quarter % 2 * TOKENS;
        let low: &[_; TOKENS] = half[0][at..].first_chunk().expect("half of sixteen");
        let high: &[_; TOKENS] = half[1][at..].first_chunk().expect("half of sixteen");
        let x: &[_; TOKENS] = self.x[first..].first_chunk().expect("tokens are padded");
        let y = &mut self.y[s * padded(self.m) + first..];
        let y: &mut [_; TOKENS] = y.first_chunk_mut().expect("tokens are padded");
        for j in 0..TOKENS {
            let high = isa.shl_i32::<3>(isa.load_i32(&high[j]));
            let total = isa.add_i32(isa.load_i32(&low[j]), high);
            finish_total(isa, total, &x[j], scales, &mut y[j]);
        }
        if let Some((place, tile)) = &mut self.out {
            let last = self.m.min(first + TOKENS);
            place.write(tile, s, first..last, y);
        }
    }
}

/// A step of one strip and sixteen tokens. Sums of a group are made while those of the group before become floats.
#[inline(always)]
fn product<I: Isa, S: CodeShape>(
    isa: I,
    tiles: &Ready,
    strip: &Unpacked,
    len: usize,
    x: &[XStep; LANES],
    y: &mut [[f32; LANES]; LANES],
    [a, b]: &mut [TileSums; 2],
) {
    let mut sums = Sums::<I, LANES>::new(isa);
    if S::X_BLOCK < STEP {
        sums.load(isa, y);
    }
    let group = S::GROUP / 4;
    let scales = &strip.scales;
    macro_rules! make {
        ($group:literal, $g:expr, $sums:expr) => {{
            let codes = &strip.panel[$g * group..][..group];
            if is_int8::<S>() {
                tiles.dot::<_, $group, true>(x, $g * $group, codes, $sums)
            } else {
                tiles.dot::<_, $group, false>(x, $g * $group, codes, $sums)
            }
        }};
        ($g:expr, $sums:expr) => {
            match S::GROUP {
                32 => make!(32, $g, $sums),
                _ => make!(256, $g, $sums),
            }
        };
    }
    make!(0, a);
    if S::GROUP < STEP {
        let num_groups = len / S::GROUP;
        for g in (0..num_groups).step_by(2) {
            if g + 1 < num_groups {
                make!(g + 1, b);
            }
            sums.group::<S>(isa, g, a, !is_int8::<S>(), x, scales);
            if g + 1 < num_groups {
                if g + 2 < num_groups {
                    make!(g + 2, a);
                }
                sums.group::<S>(isa, g + 1, b, !is_int8::<S>(), x, scales);
            }
        }
    } else {
        sums.take::<S>(isa, 0, a, !is_int8::<S>(), x);
    }
    if S::X_BLOCK == STEP {
        sums.load(isa, y);
        sums.finish::<S>(isa, x, scales);
    }
    sums.store(isa, y);
}
