//! Q4_K: 256 weights in 144 bytes; each 32 have a 6-bit scale and minimum: `w = d*sc * q - dmin*m`.

use super::{MAX_GROUPS, QuantFormat, Shape, bytes_at, u16_at};
use crate::isa::Isa;

pub(crate) struct Q4K;

/// Scales and minimums of Q4_K and Q5_K, whose first 16 bytes are the same.
#[inline(always)]
pub(super) fn scales_and_mins<I: Isa>(
    isa: I,
    unit: &[u8],
    ws: &mut [f32; MAX_GROUPS],
    wm: &mut [f32; MAX_GROUPS],
) {
    let (d, dmin) = (isa.f16(u16_at(unit, 0)), isa.f16(u16_at(unit, 2)));
    let packed = bytes_at::<12>(unit, 4);
    for j in 0..4 {
        ws[j] = d * f32::from(packed[j] & 63);
        wm[j] = -dmin * f32::from(packed[j + 4] & 63);
        ws[j + 4] = d * f32::from(packed[j + 8] & 15 | packed[j] >> 6 << 4);
        wm[j + 4] = -dmin * f32::from(packed[j + 8] >> 4 | packed[j + 4] >> 6 << 4);
    }
}

impl QuantFormat for Q4K {
    const NAME: &'static str = "q4_k";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 144;
    type Shape = Shape<32, 256, true, false>;
    const BIAS: u8 = 0;

    #[inline(always)]
    fn codes<I: Isa>(isa: I, unit: &[u8], chunk: usize) -> (I::B32, I::B32) {
        let qs = isa.load32(bytes_at(unit, 16 + 32 * chunk));
        (isa.and(qs, isa.splat8(15)), isa.shr8::<4>(qs))
    }

    #[inline(always)]
    fn scales<I: Isa>(isa: I, unit: &[u8], ws: &mut [f32; MAX_GROUPS], wm: &mut [f32; MAX_GROUPS]) {
        scales_and_mins(isa, unit, ws, wm);
    }
}
