//! TQ1_0: 256 ternary weights in 54 bytes, five to a byte in base 3: `w = d * (trit - 1)`.

use tensor::block;

use super::{MAX_GROUPS, QuantFormat, Shape, u16_at};
use crate::isa::Isa;

pub(crate) struct Tq1_0;

impl QuantFormat for Tq1_0 {
    const NAME: &'static str = "tq1_0";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 54;
    type Shape = Shape<32, 256, false, false>;
    const BIAS: u8 = 1;

    #[inline(always)]
    fn codes<I: Isa>(isa: I, unit: &[u8], chunk: usize) -> (I::B32, I::B32) {
        let code = |first: usize| {
            isa.load32(&std::array::from_fn(|i| {
                let (byte, n) = block::tq1_0::place(first + i);
                block::tq1_0::trit(unit[byte], n)
            }))
        };
        (code(64 * chunk), code(64 * chunk + 32))
    }

    #[inline(always)]
    fn scales<I: Isa>(isa: I, unit: &[u8], ws: &mut [f32; MAX_GROUPS], _: &mut [f32; MAX_GROUPS]) {
        ws[..8].fill(isa.f16(u16_at(unit, 52)));
    }
}
