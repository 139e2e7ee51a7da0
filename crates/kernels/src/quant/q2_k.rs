//! Q2_K: 256 weights in 84 bytes; each 16 have a 4-bit scale and minimum: `w = d*sc * q - dmin*m`.

use super::{MAX_GROUPS, QuantFormat, Shape, bytes_at, u16_at};
use crate::isa::Isa;

pub(crate) struct Q2K;

/// Two-bit codes of chunk `chunk`: half `chunk / 2` has 32 bytes whose bit pairs 0..4 are 32 weights each.
#[inline(always)]
pub(super) fn pairs<I: Isa>(isa: I, qs: I::B32, chunk: usize) -> (I::B32, I::B32) {
    let three = isa.splat8(3);
    if chunk % 2 == 0 {
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
    fn scales<I: Isa>(isa: I, unit: &[u8], ws: &mut [f32; MAX_GROUPS], wm: &mut [f32; MAX_GROUPS]) {
        let (d, dmin) = (isa.f16(u16_at(unit, 80)), isa.f16(u16_at(unit, 82)));
        let packed = bytes_at::<16>(unit, 0);
        for g in 0..16 {
            ws[g] = d * f32::from(packed[g] & 15);
            wm[g] = -dmin * f32::from(packed[g] >> 4);
        }
    }
}
