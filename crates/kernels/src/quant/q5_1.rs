//! Q5_1: 32 weights in 24 bytes, `w = d * q + m`.

use super::q5_0::five_bits;
use super::{QuantFormat, Shape, f16_scales};
use crate::isa::Isa;

pub(crate) struct Q5_1;

impl QuantFormat for Q5_1 {
    const NAME: &'static str = "q5_1";
    const BLOCK_LEN: usize = 32;
    const BLOCK_BYTES: usize = 24;
    type Shape = Shape<32, 32, true, false>;
    const BIAS: u8 = 0;

    #[inline(always)]
    fn codes<I: Isa>(isa: I, unit: &[u8], chunk: usize) -> (I::B32, I::B32) {
        let at = chunk * 2 * Self::BLOCK_BYTES;
        (five_bits(isa, unit, at + 4), five_bits(isa, unit, at + 28))
    }

    f16_scales!();
}
