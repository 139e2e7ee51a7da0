//! Q2_K: 256 weights in 84 bytes; each 16 have a 4-bit scale and minimum: `w = d*sc * q - dmin*m`.

use super::{GroupScales, QuantFormat, Shape, Units, byte, bytes_at};
use crate::isa::Isa;

pub(crate) struct Q2K;

/// Two-bit codes of chunk `chunk`: half `chunk / 2` has 32 bytes whose bit pairs 0..4 are 32 weights each.
#[inline(always)]
pub(super) fn pairs<I: Isa>(isa: I, qs: I::B32, chunk: usize) -> (I::B32, I::B32) {
    let three = isa.splat8(3);
    if chunk.is_multiple_of(2) {
        (isa.and(qs, three), isa.and(isa.shr8::<2>(qs), three))
    } else {
        (isa.and(isa.shr8::<4>(qs), three), isa.shr8::<6>(qs))
    }
}

impl QuantFormat for Q2K {
    const NAME: &'static str = "q2_k";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 84;
    type Shape = Shape<16, 256, true, false>;
    const BIAS: u8 = 0;

    #[inline(always)]
    fn codes<I: Isa>(isa: I, unit: &[u8], chunk: usize) -> (I::B32, I::B32) {
        pairs(
            isa,
            isa.load32(bytes_at(unit, 16 + 32 * (chunk / 2))),
            chunk,
        )
    }

    #[inline(always)]
    fn scales<I: Isa>(isa: I, units: &Units<'_>, ws: &mut GroupScales, wm: &mut GroupScales) {
        let both = units.gather(isa, 80);
        let d = isa.low_f16(both);
        let dmin = isa.sub(isa.splat(0.0), isa.high_f16(both));
        for word in 0..4 {
            let packed = units.gather(isa, 4 * word);
            for j in 0..4 {
                let both = byte(isa, packed, j);
                let (sc, m) = (isa.and_i32(both, isa.splat_i32(15)), isa.shr_i32::<4>(both));
                isa.store(isa.mul(d, isa.to_f32(sc)), &mut ws[4 * word + j]);
                isa.store(isa.mul(dmin, isa.to_f32(m)), &mut wm[4 * word + j]);
            }
        }
    }
}
