//! IQ2_XS: 256 weights in 74 bytes: each u16 is a 9-bit codebook index and 7 sign bits; a 4-bit
//! scale for 16: `w = d * (sc + 0.5) / 4 * ±pattern`; codes are the weight + 64.

use tensor::grid;

use super::iq2_xxs::{four_eights, signed_codes, signs_of_sevens};
use super::{GroupScales, QuantFormat, Shape, Units, byte, u16_at};
use crate::isa::Isa;

pub(crate) struct Iq2Xs;

/// Sixteen 4-bit scales at `field`: `d * (sc + 0.5) / 4`.
#[inline(always)]
pub(super) fn nibble_scales<I: Isa>(isa: I, units: &Units<'_>, field: usize, ws: &mut GroupScales) {
    let d = isa.low_f16(units.gather(isa, 0));
    for word in 0..2 {
        let packed = units.gather(isa, field + 4 * word);
        for j in 0..4 {
            let both = byte(isa, packed, j);
            let pair = [isa.and_i32(both, isa.splat_i32(15)), isa.shr_i32::<4>(both)];
            for (half, sc) in pair.into_iter().enumerate() {
                let scale = isa.mul(d, isa.add(isa.splat(0.5), isa.to_f32(sc)));
                isa.store(
                    isa.mul(scale, isa.splat(0.25)),
                    &mut ws[8 * word + 2 * j + half],
                );
            }
        }
    }
}

/// Codes of 32 weights, the `i`-th 32 of a unit.
#[inline(always)]
fn codes32<I: Isa>(isa: I, unit: &[u8], i: usize) -> I::B32 {
    let word = |k: usize| u16_at(unit, 2 + 8 * i + 2 * k);
    let magnitudes = four_eights(|k| grid::IQ2_XS[usize::from(word(k) & 511)]);
    signed_codes(
        isa,
        &magnitudes,
        signs_of_sevens(|k| u32::from(word(k) >> 9)),
    )
}

impl QuantFormat for Iq2Xs {
    const NAME: &'static str = "iq2_xs";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 74;
    type Shape = Shape<16, 256, false, false>;
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
        nibble_scales(isa, units, 66, ws);
    }
}
