//! Q4_K: 256 weights in 144 bytes; each 32 have a 6-bit scale and minimum: `w = d*sc * q - dmin*m`.

use super::{GroupScales, QuantFormat, Shape, Units, byte, bytes_at};
use crate::isa::Isa;

pub(crate) struct Q4K;

/// Scales and minimums of Q4_K and Q5_K, whose first 16 bytes are the same: d and dmin, then of the
/// 6-bit numbers the first four scales, the first four minimums, and the low nibbles of the other
/// eight, whose high pairs lie above the first eight.
#[inline(always)]
pub(super) fn scales_and_mins<I: Isa>(
    isa: I,
    units: &Units<'_>,
    ws: &mut GroupScales,
    wm: &mut GroupScales,
) {
    let both = units.gather(isa, 0);
    let d = isa.low_f16(both);
    let dmin = isa.sub(isa.splat(0.0), isa.high_f16(both));
    let packed = [
        units.gather(isa, 4),
        units.gather(isa, 8),
        units.gather(isa, 12),
    ];
    let (six, low) = (isa.splat_i32(63), isa.splat_i32(15));
    for j in 0..4 {
        let (sc, m, more) = (
            byte(isa, packed[0], j),
            byte(isa, packed[1], j),
            byte(isa, packed[2], j),
        );
        let (sc_top, m_top) = (isa.shr_i32::<6>(sc), isa.shr_i32::<6>(m));
        let sc_high = isa.or_i32(isa.and_i32(more, low), isa.shl_i32::<4>(sc_top));
        let m_high = isa.or_i32(isa.shr_i32::<4>(more), isa.shl_i32::<4>(m_top));
        isa.store(isa.mul(d, isa.to_f32(isa.and_i32(sc, six))), &mut ws[j]);
        isa.store(isa.mul(dmin, isa.to_f32(isa.and_i32(m, six))), &mut wm[j]);
        isa.store(isa.mul(d, isa.to_f32(sc_high)), &mut ws[j + 4]);
        isa.store(isa.mul(dmin, isa.to_f32(m_high)), &mut wm[j + 4]);
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
    fn scales<I: Isa>(isa: I, units: &Units<'_>, ws: &mut GroupScales, wm: &mut GroupScales) {
        scales_and_mins(isa, units, ws, wm);
    }
}
