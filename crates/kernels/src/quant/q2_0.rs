//! Q2_0: 64 weights in 18 bytes, `w = d * (q - 1)`; four neighbours share a byte, lowest bits first.

use super::{QuantFormat, Shape, bytes_at, f16_scales};
use crate::isa::Isa;

pub(crate) struct Q2_0;

impl QuantFormat for Q2_0 {
    const NAME: &'static str = "q2_0";
    const BLOCK_LEN: usize = 64;
    const BLOCK_BYTES: usize = 18;
    type Shape = Shape<32, 32, false, false>;
    const BIAS: u8 = 1;

    #[inline(always)]
    fn codes<I: Isa>(isa: I, unit: &[u8], _chunk: usize) -> (I::B32, I::B32) {
        let code = |at| {
            let packed: &[u8; 8] = bytes_at(unit, at);
            isa.load32(&std::array::from_fn(|i| packed[i / 4] >> (2 * (i % 4)) & 3))
        };
        (code(2), code(10))
    }

    f16_scales!();
}
