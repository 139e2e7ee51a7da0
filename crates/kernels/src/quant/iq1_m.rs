//! IQ1_M: 256 weights in 56 bytes: IQ1_S's patterns with a shift for each 8 and a 3-bit scale for 16.

use tensor::{block, grid};

use super::iq1_s::shifted_codes;
use super::iq2_xxs::four_eights;
use super::{GroupScales, QuantFormat, Shape, Units, bytes_at, u16_at};
use crate::isa::Isa;

pub(crate) struct Iq1M;

/// Codes of 32 weights, the `i`-th 32 of a unit.
#[inline(always)]
fn codes32<I: Isa>(isa: I, unit: &[u8], i: usize) -> I::B32 {
    // Four patterns; their high bits and shifts are the four nibbles of a u16.
    let qh = u16_at(unit, 32 + 2 * i);
    let nibble = |k: usize| qh >> (4 * k) & 15;
    let index = |k: usize| usize::from(unit[4 * i + k]) | usize::from(nibble(k) & 7) << 8;
    let minus = std::array::from_fn(|k| if nibble(k) & 8 == 0 { 0 } else { 0xff });
    shifted_codes(
        isa,
        &four_eights(|k| grid::IQ1[index(k)]),
        u32::from_le_bytes(minus),
    )
}

impl QuantFormat for Iq1M {
    const NAME: &'static str = "iq1_m";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 56;
    type Shape = Shape<16, 256, false, false>;
    const BIAS: u8 = 16;

    #[inline(always)]
    fn codes<I: Isa>(isa: I, unit: &[u8], chunk: usize) -> (I::B32, I::B32) {
        (
            codes32(isa, unit, 2 * chunk),
            codes32(isa, unit, 2 * chunk + 1),
        )
    }

    #[inline(always)]
    fn scales<I: Isa>(_: I, units: &Units<'_>, ws: &mut GroupScales, _: &mut GroupScales) {
        units.each_row::<16>(Self::UNIT_BYTES, ws, |unit| {
            let packed = bytes_at::<8>(unit, 48);
            let d = block::iq1_m::scale(packed) * 0.125;
            std::array::from_fn(|g| d * f32::from(2 * block::iq1_m::group_scale(packed, g) + 1))
        });
    }
}
