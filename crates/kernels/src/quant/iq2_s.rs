//! IQ2_S: 256 weights in 82 bytes: 10-bit codebook indices, plain sign bits, a 4-bit scale for 16:
//! `w = d * (sc + 0.5) / 4 * ±pattern`; codes are the weight + 64.

use tensor::{block, grid};

use super::iq2_xs::nibble_scales;
use super::iq2_xxs::{four_eights, signed_codes};
use super::{GroupScales, QuantFormat, Shape, Units, bytes_at, u32_at};
use crate::isa::Isa;

pub(crate) struct Iq2S;

/// Codes of 32 weights, the `i`-th 32 of a unit.
#[inline(always)]
fn codes32<I: Isa>(isa: I, unit: &[u8], i: usize) -> I::B32 {
    let (qs, qh) = (bytes_at::<32>(unit, 2), bytes_at::<8>(unit, 66));
    let magnitudes = four_eights(|k| grid::IQ2_S[block::iq2_s::code(qs, qh, 4 * i + k)]);
    signed_codes(isa, &magnitudes, u32_at(unit, 34 + 4 * i))
}

impl QuantFormat for Iq2S {
    const NAME: &'static str = "iq2_s";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 82;
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
        nibble_scales(isa, units, 74, ws);
    }
}
