//! Q4_0: 32 weights in 18 bytes, `w = d * (q - 8)`.

use super::{QuantFormat, Shape, bytes_at, f16_scales};
use crate::isa::Isa;

pub(crate) struct Q4_0;

impl QuantFormat for Q4_0 {
    const NAME: &'static str = "q4_0";
    const BLOCK_LEN: usize = 32;
    const BLOCK_BYTES: usize = 18;
    type Shape = Shape<32, 32, false, false>;
    const BIAS: u8 = 8;

    #[inline(always)]
    fn codes<I: Isa>(isa: I, unit: &[u8], chunk: usize) -> (I::B32, I::B32) {
        let at = chunk * 2 * Self::BLOCK_BYTES;
        (
            isa.nibbles(bytes_at(unit, at + 2)),
            isa.nibbles(bytes_at(unit, at + 20)),
        )
    }

    f16_scales!();
}
