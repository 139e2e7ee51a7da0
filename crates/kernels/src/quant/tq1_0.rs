//! TQ1_0: 256 ternary weights in 54 bytes, five to a byte in base 3: `w = d * (trit - 1)`.

use tensor::block;

use super::{GroupScales, QuantFormat, Shape, Units};
use crate::isa::Isa;

pub(crate) struct Tq1_0;

/// Codes of 32 weights, the `i`-th 32 of a unit.
#[inline(always)]
fn codes32<I: Isa>(isa: I, unit: &[u8], i: usize) -> I::B32 {
    let mut codes = [0; 32];
    for (j, code) in codes.iter_mut().enumerate() {
        let (byte, n) = block::tq1_0::place(32 * i + j);
        *code = block::tq1_0::trit(unit[byte], n);
    }
    isa.load32(&codes)
}

impl QuantFormat for Tq1_0 {
    const NAME: &'static str = "tq1_0";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 54;
    type Shape = Shape<32, 256, false, false>;
    const BIAS: u8 = 1;

    #[inline(always)]
    fn codes<I: Isa>(isa: I, unit: &[u8], chunk: usize) -> (I::B32, I::B32) {
        (
            codes32(isa, unit, 2 * chunk),
            codes32(isa, unit, 2 * chunk + 1),
        )
    }

    #[inline(always)]
    fn scales<I: Isa>(isa: I, units: &Units<'_>, ws: &mut GroupScales, _: &mut GroupScales) {
        let d = isa.high_f16(units.gather(isa, 50));
        for ws in &mut ws[..8] {
            isa.store(d, ws);
        }
    }
}
