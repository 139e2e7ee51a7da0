//! IQ3_XXS: 256 weights in 98 bytes: patterns of 4 magnitudes by 8-bit indices; 7 sign bits for 8, a
//! 4-bit scale for 32: `w = d * (sc + 0.5) / 2 * ±pattern`; codes are the weight + 64.

use tensor::grid;

use super::iq2_xxs::{signed_codes, signs_of_sevens};
use super::{GroupScales, QuantFormat, Shape, Units, u16_at, u32_at};
use crate::isa::Isa;

pub(crate) struct Iq3Xxs;

/// Eight patterns of four in a row.
#[inline(always)]
pub(super) fn eight_fours(pattern: impl Fn(usize) -> [i8; 4]) -> [u8; 32] {
    let mut out = [0; 32];
    for (k, four) in out.as_chunks_mut::<4>().0.iter_mut().enumerate() {
        *four = pattern(k).map(|x| x as u8);
    }
    out
}

/// Codes of 32 weights, the `i`-th 32 of a unit.
#[inline(always)]
fn codes32<I: Isa>(isa: I, unit: &[u8], i: usize) -> I::B32 {
    let packed = u32_at(unit, 66 + 4 * i);
    let magnitudes = eight_fours(|k| grid::IQ3_XXS[usize::from(unit[2 + 8 * i + k])]);
    signed_codes(isa, &magnitudes, signs_of_sevens(|k| packed >> (7 * k)))
}

impl QuantFormat for Iq3Xxs {
    const NAME: &'static str = "iq3_xxs";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 98;
    type Shape = Shape<32, 256, false, false>;
    const BIAS: u8 = 64;

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
            let d = isa.f16(u16_at(unit, 0));
            std::array::from_fn(|g| d * (0.5 + (u32_at(unit, 66 + 4 * g) >> 28) as f32) * 0.5)
        });
    }
}
