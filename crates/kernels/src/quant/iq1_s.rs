//! IQ1_S: 256 weights in 50 bytes: patterns of 8 ternary weights by 11-bit indices, shifted by ±1/8; a
//! 3-bit scale for 32: `w = d * (2 sc + 1) * (pattern ± 1/8)`. Codes are 8 times the bracket, + 16,
//! and the scale is divided by 8: both exact.

use tensor::grid;

use super::iq2_xxs::four_eights;
use super::{GroupScales, QuantFormat, Shape, Units, u16_at};
use crate::isa::Isa;

pub(crate) struct Iq1S;

/// `8 * pattern + shift + 16` of 32 weights; bit i of `minus` says that weight i's shift is -1, else +1.
#[inline(always)]
pub(super) fn shifted_codes<I: Isa>(isa: I, patterns: &[u8; 32], minus: u32) -> I::B32 {
    // Patterns are -1, 0, 1: make them 0, 8, 16 before the shift so that bytes never borrow.
    let eights = isa.shl8::<3>(isa.add8(isa.load32(patterns), isa.splat8(1)));
    let shift = isa.or(isa.mask32(minus), isa.splat8(1));
    isa.add8(isa.add8(eights, isa.splat8(8)), shift)
}

/// Codes of 32 weights, the `i`-th 32 of a unit.
#[inline(always)]
fn codes32<I: Isa>(isa: I, unit: &[u8], i: usize) -> I::B32 {
    let qh = u16_at(unit, 34 + 2 * i);
    let index = |k: usize| usize::from(unit[2 + 4 * i + k]) | usize::from(qh >> (3 * k) & 7) << 8;
    let minus = if qh & 0x8000 == 0 { 0 } else { u32::MAX };
    shifted_codes(isa, &four_eights(|k| grid::IQ1[index(k)]), minus)
}

impl QuantFormat for Iq1S {
    const NAME: &'static str = "iq1_s";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 50;
    type Shape = Shape<32, 256, false, false>;
    const BIAS: u8 = 16;

    #[inline(always)]
    fn codes<I: Isa>(isa: I, unit: &[u8], chunk: usize) -> (I::B32, I::B32) {
        (
            codes32(isa, unit, 2 * chunk),
            codes32(isa, unit, 2 * chunk + 1),
        )
    }

    #[inline(always)]
    fn scales<I: Isa>(isa: I, units: &Units<'_>, ws: &mut GroupScales, _: &mut GroupScales) {
        units.each_row::<8>(Self::UNIT_BYTES, ws, |unit| {
            let d = isa.f16(u16_at(unit, 0)) * 0.125;
            std::array::from_fn(|g| d * f32::from(2 * (u16_at(unit, 34 + 2 * g) >> 12 & 7) + 1))
        });
    }
}
