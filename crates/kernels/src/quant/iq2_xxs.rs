//! IQ2_XXS: 256 weights in 66 bytes: patterns of 8 magnitudes from a codebook, 7 sign bits each,
//! a 4-bit scale for 32: `w = d * (sc + 0.5) / 4 * ±pattern`; codes are the weight + 64.

use tensor::grid;

use super::{GroupScales, QuantFormat, Shape, Units, u16_at, u32_at};
use crate::isa::Isa;

pub(crate) struct Iq2Xxs;

/// Codes of 32 magnitudes with the signs of `signs` (bit i: minus), + 64.
#[inline(always)]
pub(super) fn signed_codes<I: Isa>(isa: I, magnitudes: &[u8; 32], signs: u32) -> I::B32 {
    let minus = isa.mask32(signs);
    // Two's complement: flip the bits and add one where negative.
    let value = isa.sub8(isa.xor(isa.load32(magnitudes), minus), minus);
    isa.add8(value, isa.splat8(64))
}

/// Four patterns of eight in a row.
#[inline(always)]
pub(super) fn four_eights(pattern: impl Fn(usize) -> [i8; 8]) -> [u8; 32] {
    let mut out = [0; 32];
    for (k, eight) in out.as_chunks_mut::<8>().0.iter_mut().enumerate() {
        *eight = pattern(k).map(|x| x as u8);
    }
    out
}

/// Four times 7 sign bits, each completed to 8.
#[inline(always)]
pub(super) fn signs_of_sevens(seven: impl Fn(usize) -> u32) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|k| {
        grid::EVEN_SIGNS[(seven(k) & 127) as usize]
    }))
}

/// Codes of 32 weights, the `i`-th 32 of a unit.
#[inline(always)]
fn codes32<I: Isa>(isa: I, unit: &[u8], i: usize) -> I::B32 {
    let at = 2 + 8 * i;
    let packed = u32_at(unit, at + 4);
    let magnitudes = four_eights(|k| grid::IQ2_XXS[usize::from(unit[at + k])]);
    signed_codes(isa, &magnitudes, signs_of_sevens(|k| packed >> (7 * k)))
}

impl QuantFormat for Iq2Xxs {
    const NAME: &'static str = "iq2_xxs";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 66;
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
            std::array::from_fn(|g| d * (0.5 + (u32_at(unit, 6 + 8 * g) >> 28) as f32) * 0.25)
        });
    }
}
