//! Q3_K: 256 weights in 110 bytes; each 16 have a 6-bit scale less 32: `w = d * (sc - 32) * (q - 4)`.
//!
//! The third bits are at 0 (bit `2c`, `2c+1` of 32 bytes for chunk `c`), the low pairs at 32, scales at 96.

use super::q2_k::pairs;
use super::{GroupScales, QuantFormat, Shape, Units, byte, bytes_at};
use crate::isa::Isa;

pub(crate) struct Q3K;

impl QuantFormat for Q3K {
    const NAME: &'static str = "q3_k";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 110;
    type Shape = Shape<16, 256, false, false>;
    const BIAS: u8 = 4;

    #[inline(always)]
    fn codes<I: Isa>(isa: I, unit: &[u8], chunk: usize) -> (I::B32, I::B32) {
        let (lo, hi) = pairs(
            isa,
            isa.load32(bytes_at(unit, 32 + 32 * (chunk / 2))),
            chunk,
        );
        let high = isa.load32(bytes_at(unit, 0));
        let four = isa.splat8(4);
        let (a, b) = match chunk {
            0 => (isa.shl8::<2>(high), isa.shl8::<1>(high)),
            1 => (high, isa.shr8::<1>(high)),
            2 => (isa.shr8::<2>(high), isa.shr8::<3>(high)),
            _ => (isa.shr8::<4>(high), isa.shr8::<5>(high)),
        };
        (isa.or(lo, isa.and(a, four)), isa.or(hi, isa.and(b, four)))
    }

    #[inline(always)]
    fn scales<I: Isa>(isa: I, units: &Units<'_>, ws: &mut GroupScales, _: &mut GroupScales) {
        let d = isa.high_f16(units.gather(isa, 106));
        let low = [units.gather(isa, 96), units.gather(isa, 100)];
        let high = units.gather(isa, 104);
        for g in 0..16 {
            let nibbles = byte(isa, low[g / 4 % 2], g % 4);
            let nibble = if g < 8 {
                isa.and_i32(nibbles, isa.splat_i32(15))
            } else {
                isa.shr_i32::<4>(nibbles)
            };
            let pairs = byte(isa, high, g % 4);
            let pair = match g / 4 {
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
