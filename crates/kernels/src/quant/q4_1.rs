//! Q4_1: 32 weights in 20 bytes, `w = d * q + m`.

use super::{QuantFormat, Shape, bytes_at, f16_scales};
use crate::isa::Isa;

pub(crate) struct Q4_1;

impl QuantFormat for Q4_1 {
    const NAME: &'static str = "q4_1";
    const BLOCK_LEN: usize = 32;
    const BLOCK_BYTES: usize = 20;
    type Shape = Shape<32, 32, true, false>;
    const BIAS: u8 = 0;

    #[inline(always)]
    fn codes<I: Isa>(isa: I, unit: &[u8], chunk: usize) -> (I::B32, I::B32) {
        let at = chunk * 2 * Self::BLOCK_BYTES;
        (
            isa.nibbles(bytes_at(unit, at + 4)),
            isa.nibbles(bytes_at(unit, at + 24)),
        )
    }

    f16_scales!();
}
