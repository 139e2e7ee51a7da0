//! Q5_0: 32 weights in 22 bytes, `w = d * (q - 16)`; the fifth bits are a 32-bit mask at byte 2.

use super::{QuantFormat, Shape, bytes_at, f16_scales, u32_at};
use crate::isa::Isa;

pub(crate) struct Q5_0;

/// Codes of a block whose fifth bits start at `high` and nibbles at `high + 4`.
#[inline(always)]
pub(super) fn five_bits<I: Isa>(isa: I, unit: &[u8], high: usize) -> I::B32 {
    let fifth = isa.and(isa.mask32(u32_at(unit, high)), isa.splat8(16));
    isa.or(isa.nibbles(bytes_at(unit, high + 4)), fifth)
}

impl QuantFormat for Q5_0 {
    const NAME: &'static str = "q5_0";
    const BLOCK_LEN: usize = 32;
    const BLOCK_BYTES: usize = 22;
    type Shape = Shape<32, 32, false, false>;
    const BIAS: u8 = 16;

    #[inline(always)]
    fn codes<I: Isa>(isa: I, unit: &[u8], chunk: usize) -> (I::B32, I::B32) {
        let at = chunk * 2 * Self::BLOCK_BYTES;
        (five_bits(isa, unit, at + 2), five_bits(isa, unit, at + 24))
    }

    f16_scales!();
}
