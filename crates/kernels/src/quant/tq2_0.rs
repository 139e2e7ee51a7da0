//! TQ2_0: 256 ternary weights in 66 bytes, `w = d * (q - 1)`, packed as Q2_K's pairs.

use super::q2_k::pairs;
use super::{GroupScales, QuantFormat, Shape, Units, bytes_at};
use crate::isa::Isa;

pub(crate) struct Tq2_0;

impl QuantFormat for Tq2_0 {
    const NAME: &'static str = "tq2_0";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 66;
    type Shape = Shape<32, 256, false, false>;
    const BIAS: u8 = 1;

    #[inline(always)]
    fn codes<I: Isa>(isa: I, unit: &[u8], chunk: usize) -> (I::B32, I::B32) {
        pairs(isa, isa.load32(bytes_at(unit, 32 * (chunk / 2))), chunk)
    }

    #[inline(always)]
    fn scales<I: Isa>(isa: I, units: &Units<'_>, ws: &mut GroupScales, _: &mut GroupScales) {
        let d = isa.high_f16(units.gather(isa, 62));
        for ws in &mut ws[..8] {
            isa.store(d, ws);
        }
    }
}
