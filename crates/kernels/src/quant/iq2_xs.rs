//! IQ2_XS: 256 weights in 74 bytes: each u16 is a 9-bit codebook index and 7 sign bits; a 4-bit
//! scale for 16: `w = d * (sc + 0.5) / 4 * ±pattern`; codes are the weight + 64.

use tensor::grid;

use super::iq2_xxs::{four_eights, signed_codes, signs_of_sevens};
use super::{MAX_GROUPS, QuantFormat, Shape, u16_at};
use crate::isa::Isa;

pub(crate) struct Iq2Xs;

/// Sixteen 4-bit scales at `at`: `d * (sc + 0.5) / 4`.
#[inline(always)]
pub(super) fn nibble_scales(d: f32, unit: &[u8], at: usize, ws: &mut [f32; MAX_GROUPS]) {
    for g in 0..16 {
        let scale = unit[at + g / 2] >> (4 * (g % 2)) & 15;
        ws[g] = d * (0.5 + f32::from(scale)) * 0.25;
    }
}

impl QuantFormat for Iq2Xs {
    const NAME: &'static str = "iq2_xs";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 74;
    type Shape = Shape<16, 256, false, false>;
    const BIAS: u8 = 64;

    #[inline(always)]
    fn codes<I: Isa>(isa: I, unit: &[u8], chunk: usize) -> (I::B32, I::B32) {
        let half = |g: usize| {
            let word = |k: usize| u16_at(unit, 2 + 8 * g + 2 * k);
            let magnitudes = four_eights(|k| grid::IQ2_XS[usize::from(word(k) & 511)]);
            signed_codes(
                isa,
                &magnitudes,
                signs_of_sevens(|k| u32::from(word(k) >> 9)),
            )
        };
        (half(2 * chunk), half(2 * chunk + 1))
    }

    #[inline(always)]
    fn scales<I: Isa>(isa: I, unit: &[u8], ws: &mut [f32; MAX_GROUPS], _: &mut [f32; MAX_GROUPS]) {
        nibble_scales(isa.f16(u16_at(unit, 0)), unit, 66, ws);
    }
}
