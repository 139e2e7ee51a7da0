//! IQ3_S: 256 weights in 110 bytes: patterns of 4 magnitudes by 9-bit indices, plain sign bits, a
//! 4-bit scale for 32: `w = d * (2 sc + 1) * ±pattern`; codes are the weight + 64.

use tensor::{block, grid};

use super::iq2_xxs::signed_codes;
use super::iq3_xxs::eight_fours;
use super::{GroupScales, QuantFormat, Shape, Units, byte, bytes_at, u32_at};
use crate::isa::Isa;

pub(crate) struct Iq3S;

/// Codes of 32 weights, the `i`-th 32 of a unit.
#[inline(always)]
fn codes32<I: Isa>(isa: I, unit: &[u8], i: usize) -> I::B32 {
    let (qs, qh) = (bytes_at::<64>(unit, 2), bytes_at::<8>(unit, 66));
    let magnitudes = eight_fours(|k| grid::IQ3_S[block::iq3_s::code(qs, qh, 8 * i + k)]);
    signed_codes(isa, &magnitudes, u32_at(unit, 74 + 4 * i))
}

impl QuantFormat for Iq3S {
    const NAME: &'static str = "iq3_s";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 110;
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
        let d = isa.low_f16(units.gather(isa, 0));
        let packed = units.gather(isa, 106);
        for j in 0..4 {
            let both = byte(isa, packed, j);
            let pair = [isa.and_i32(both, isa.splat_i32(15)), isa.shr_i32::<4>(both)];
            for (half, sc) in pair.into_iter().enumerate() {
                let odd = isa.mul_add(isa.to_f32(sc), isa.splat(2.0), isa.splat(1.0));
                isa.store(isa.mul(d, odd), &mut ws[2 * j + half]);
            }
        }
    }
}
