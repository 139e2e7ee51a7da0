//! Q5_K: Q4_K with a fifth bit for each weight, 176 bytes; bit `2c` and `2c+1` of the 32 bytes at 16
//! belong to the two halves of chunk `c`.

use super::q4_k::scales_and_mins;
use super::{GroupScales, QuantFormat, Shape, Units, bytes_at};
use crate::isa::Isa;

pub(crate) struct Q5K;

impl QuantFormat for Q5K {
    const NAME: &'static str = "q5_k";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 176;
    type Shape = Shape<32, 256, true, false>;
    const BIAS: u8 = 0;

    #[inline(always)]
    fn codes<I: Isa>(isa: I, unit: &[u8], chunk: usize) -> (I::B32, I::B32) {
        let qs = isa.load32(bytes_at(unit, 48 + 32 * chunk));
        let high = isa.load32(bytes_at(unit, 16));
        let (sixteen, low) = (isa.splat8(16), isa.splat8(15));
        let (a, b) = match chunk {
            0 => (isa.shl8::<4>(high), isa.shl8::<3>(high)),
            1 => (isa.shl8::<2>(high), isa.shl8::<1>(high)),
            2 => (high, isa.shr8::<1>(high)),
            _ => (isa.shr8::<2>(high), isa.shr8::<3>(high)),
        };
        (
            isa.or(isa.and(qs, low), isa.and(a, sixteen)),
            isa.or(isa.shr8::<4>(qs), isa.and(b, sixteen)),
        )
    }

    #[inline(always)]
    fn scales<I: Isa>(isa: I, units: &Units<'_>, ws: &mut GroupScales, wm: &mut GroupScales) {
        scales_and_mins(isa, units, ws, wm);
    }
}
