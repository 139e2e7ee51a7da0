//! Q8_0: 32 weights in 34 bytes, `w = d * q` with int8 `q`; codes are `q + 128`.

use super::{QuantFormat, Shape, bytes_at, f16_scales};
use crate::isa::Isa;

pub(crate) struct Q8_0;

impl QuantFormat for Q8_0 {
    const NAME: &'static str = "q8_0";
    const BLOCK_LEN: usize = 32;
    const BLOCK_BYTES: usize = 34;
    type Shape = Shape<32, 32, false, true>;
    const BIAS: u8 = 128;

    #[inline(always)]
    fn codes<I: Isa>(isa: I, unit: &[u8], chunk: usize) -> (I::B32, I::B32) {
        let at = chunk * 2 * Self::BLOCK_BYTES;
        let code = |at| isa.xor(isa.load32(bytes_at(unit, at)), isa.splat8(128));
        (code(at + 2), code(at + 36))
    }

    f16_scales!();
}
