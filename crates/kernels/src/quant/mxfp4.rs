//! MXFP4: 32 weights in 17 bytes: an E8M0 scale and 4-bit floats (OCP Microscaling Formats 1.0).
//!
//! The 16 values are doubled to be whole numbers, so the scale is halved; codes are the value + 16.

use super::{GroupScales, QuantFormat, Shape, Units, bytes_at};
use crate::isa::Isa;

pub(crate) struct Mxfp4;

/// The 16 values of E2M1, doubled, each + 16.
pub(super) const VALUES: [u8; 16] = [16, 17, 18, 19, 20, 22, 24, 28, 16, 15, 14, 13, 12, 10, 8, 4];

/// Codes of 32 weights, the `i`-th 32 of a unit.
#[inline(always)]
fn codes32<I: Isa>(isa: I, unit: &[u8], i: usize) -> I::B32 {
    isa.lookup16(&VALUES, isa.nibbles(bytes_at(unit, 17 * i + 1)))
}

impl QuantFormat for Mxfp4 {
    const NAME: &'static str = "mxfp4";
    const BLOCK_LEN: usize = 32;
    const BLOCK_BYTES: usize = 17;
    type Shape = Shape<32, 32, false, false>;
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
        units.each_row::<2>(Self::UNIT_BYTES, ws, |unit| {
            [
                half_power_of_two(unit[0]),
                half_power_of_two(unit[Self::BLOCK_BYTES]),
            ]
        });
    }
}

/// `2^(e - 128)`: an E8M0 exponent, halved; the two lowest are subnormal.
#[inline(always)]
fn half_power_of_two(e: u8) -> f32 {
    let bits = if e < 2 {
        0x0020_0000 << e
    } else {
        (u32::from(e) - 1) << 23
    };
    f32::from_bits(bits)
}
