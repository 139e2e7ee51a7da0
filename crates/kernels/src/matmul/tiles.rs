//! Many tokens by tiles of sixteen: the panels of `panels.rs`, with what makes sums of them in one instruction.

use std::marker::PhantomData;

use super::activations::{XStep, padded};
use super::int8::{Place, Unpacked};
use super::sums::Sums;
use crate::isa::{Isa, LANES, Op, Ready, Tiles};
use crate::pool::Tile;
use crate::quant::{CodeShape, STEP};

/// Fewer tokens are left to vectors: a tile takes as long for one as for sixteen.
pub(super) const MIN_TOKENS: usize = 12;

/// Whether tiles are faster than vectors: sums must be stored and loaded for each group, which groups of 16 are too
/// small for (Q6_K, 256 tokens: 235 GMAC/s a core, without 230; Q4_K 369, 295; Q3_K 760, 302).
pub(super) const fn pays<S: CodeShape>() -> bool {
    S::GROUP >= 32
}

/// Sums of sixteen tokens by sixteen rows.
#[derive(Clone)]
#[repr(align(64))]
pub(super) struct TileSums([[i32; LANES]; LANES]);

impl TileSums {
    pub(super) const ZERO: Self = Self([[0; LANES]; LANES]);
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
    pub(super) sums: &'a mut [TileSums; 2],
    /// After the last step, where sums go.
    pub(super) out: Option<(Place, &'a mut Tile<'b>)>,
    pub(super) shape: PhantomData<S>,
}

impl<S: CodeShape> Op for TilePanels<'_, '_, S> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(mut self, isa: I) {
        let tiles = self.tiles.ready();
        for first in (0..self.m).step_by(LANES) {
            let x = self.x[first..].first_chunk().expect("tokens are padded");
            for s in 0..self.strips.len() {
                let strip = &self.strips[s];
                let y = &mut self.y[s * padded(self.m) + first..];
                let y = y.first_chunk_mut().expect("tokens are padded");
                let sums = &mut *self.sums;
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
                tiles.dot::<_, $group, true>(x, $g * $group, codes, &mut $sums.0)
            } else {
                tiles.dot::<_, $group, false>(x, $g * $group, codes, &mut $sums.0)
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
            sums.group::<S>(isa, g, &a.0, !is_int8::<S>(), x, scales);
            if g + 1 < num_groups {
                if g + 2 < num_groups {
                    make!(g + 2, a);
                }
                sums.group::<S>(isa, g + 1, &b.0, !is_int8::<S>(), x, scales);
            }
        }
    } else {
        sums.take::<S>(isa, 0, &a.0, !is_int8::<S>(), x);
    }
    if S::X_BLOCK == STEP {
        sums.load(isa, y);
        sums.finish::<S>(isa, x, scales);
    }
    sums.store(isa, y);
}
