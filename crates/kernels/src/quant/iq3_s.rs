//! IQ3_S: 256 weights in 110 bytes: patterns of 4 magnitudes by 9-bit indices, plain sign bits, a
//! 4-bit scale for 32: `w = d * (2 sc + 1) * ±pattern`; codes are the weight + 64.

use tensor::{block, grid};

use super::iq2_xxs::signed_codes;
use super::iq3_xxs::eight_fours;
use super::{MAX_GROUPS, QuantFormat, Shape, bytes_at, u16_at, u32_at};
use crate::isa::Isa;

pub(crate) struct Iq3S;

impl QuantFormat for Iq3S {
    const NAME: &'static str = "iq3_s";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 110;
    type Shape = Shape<32, 256, false, false>;
    const BIAS: u8 = 64;

    #[inline(always)]
    fn codes<I: Isa>(isa: I, unit: &[u8], chunk: usize) -> (I::B32, I::B32) {
        let (qs, qh) = (bytes_at::<64>(unit, 2), bytes_at::<8>(unit, 66));
        let group = |g: usize| {
            let magnitudes = eight_fours(|k| grid::IQ3_S[block::iq3_s::code(qs, qh, 8 * g + k)]);
            signed_codes(isa, &magnitudes, u32_at(unit, 74 + 4 * g))
        };
        (group(2 * chunk), group(2 * chunk + 1))
    }

    #[inline(always)]
    fn scales<I: Isa>(isa: I, unit: &[u8], ws: &mut [f32; MAX_GROUPS], _: &mut [f32; MAX_GROUPS]) {
        let d = isa.f16(u16_at(unit, 0));
        for g in 0..8 {
            ws[g] = d * f32::from(1 + 2 * (unit[106 + g / 2] >> (4 * (g % 2)) & 15));
        }
    }
}
