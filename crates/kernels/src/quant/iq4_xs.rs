//! IQ4_XS: 256 weights in 136 bytes: IQ4_NL's steps, a 6-bit scale less 32 for each 32 weights.

use super::iq4_nl::STEPS;
use super::{GroupScales, QuantFormat, Shape, Units, byte, bytes_at};
use crate::isa::Isa;

pub(crate) struct Iq4Xs;

/// Codes of 32 weights, the `i`-th 32 of a unit.
#[inline(always)]
fn codes32<I: Isa>(isa: I, unit: &[u8], i: usize) -> I::B32 {
    isa.lookup16(&STEPS, isa.nibbles(bytes_at(unit, 16 * i + 8)))
}

impl QuantFormat for Iq4Xs {
    const NAME: &'static str = "iq4_xs";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 136;
    type Shape = Shape<32, 256, false, true>;
    const BIAS: u8 = 128;

    #[inline(always)]
    fn codes<I: Isa>(isa: I, unit: &[u8], chunk: usize) -> (I::B32, I::B32) {
        (
            codes32(isa, unit, 2 * chunk),
            codes32(isa, unit, 2 * chunk + 1),
        )
    }

    #[inline(always)]
    fn scales<I: Isa>(isa: I, units: &Units<'_>, ws: &mut GroupScales, _: &mut GroupScales) {
        let first = units.gather(isa, 0);
        let d = isa.low_f16(first);
        let (low, high) = (units.gather(isa, 4), isa.shr_i32::<16>(first));
        for g in 0..8 {
            let nibbles = byte(isa, low, g / 2);
            let nibble = if g % 2 == 0 {
                isa.and_i32(nibbles, isa.splat_i32(15))
            } else {
                isa.shr_i32::<4>(nibbles)
            };
            let pairs = byte(isa, high, g / 4);
            let pair = match g % 4 {
                0 => isa.shl_i32::<4>(pairs),
                1 => isa.shl_i32::<2>(pairs),
                2 => pairs,
                _ => isa.shr_i32::<2>(pairs),
            };
            let sc = isa.or_i32(nibble, isa.and_i32(pair, isa.splat_i32(0x30)));
            isa.store(
                isa.mul(d, isa.sub(isa.to_f32(sc), isa.splat(32.0))),
                &mut ws[g],
            );
        }
    }
}
