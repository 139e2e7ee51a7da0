//! Q6_K: 256 weights in 210 bytes; each 16 have an int8 scale: `w = d * sc * (q - 32)`.
//!
//! Half `h` (128 weights) has 64 bytes of low nibbles at `64h` and 32 bytes of high pairs at `128 + 32h`.

use super::{GroupScales, QuantFormat, Shape, Units, bytes_at};
use crate::isa::Isa;

pub(crate) struct Q6K;

impl QuantFormat for Q6K {
    const NAME: &'static str = "q6_k";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 210;
    type Shape = Shape<16, 256, false, false>;
    const BIAS: u8 = 32;

    #[inline(always)]
    fn codes<I: Isa>(isa: I, unit: &[u8], chunk: usize) -> (I::B32, I::B32) {
        let half = chunk / 2;
        let (ql, qh) = (64 * half, 128 + 32 * half);
        let (a, b) = (
            isa.load32(bytes_at(unit, ql)),
            isa.load32(bytes_at(unit, ql + 32)),
        );
        let high = isa.load32(bytes_at(unit, qh));
        let (low, pair) = (isa.splat8(15), isa.splat8(0x30));
        if chunk.is_multiple_of(2) {
            (
                isa.or(isa.and(a, low), isa.and(isa.shl8::<4>(high), pair)),
                isa.or(isa.and(b, low), isa.and(isa.shl8::<2>(high), pair)),
            )
        } else {
            (
                isa.or(isa.shr8::<4>(a), isa.and(high, pair)),
                isa.or(isa.shr8::<4>(b), isa.and(isa.shr8::<2>(high), pair)),
            )
        }
    }

    #[inline(always)]
    fn scales<I: Isa>(isa: I, units: &Units<'_>, ws: &mut GroupScales, _: &mut GroupScales) {
        let d = isa.high_f16(units.gather(isa, 206));
        for word in 0..4 {
            let sc = units.gather(isa, 192 + 4 * word);
            let bytes = [
                isa.shl_i32::<24>(sc),
                isa.shl_i32::<16>(sc),
                isa.shl_i32::<8>(sc),
                sc,
            ];
            for (j, byte) in bytes.into_iter().enumerate() {
                isa.store(
                    isa.mul(d, isa.to_f32(isa.sar_i32::<24>(byte))),
                    &mut ws[4 * word + j],
                );
            }
        }
    }
}
