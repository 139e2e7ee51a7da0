//! Q1_0: 128 weights in 18 bytes, `w = d` or `-d` by one bit each; codes are 2 or 0.

use super::{QuantFormat, Shape, f16_scales, u32_at};
use crate::isa::Isa;

pub(crate) struct Q1_0;

/// Codes of 32 weights, the `i`-th 32 of a unit.
#[inline(always)]
fn codes32<I: Isa>(isa: I, unit: &[u8], i: usize) -> I::B32 {
    isa.and(isa.mask32(u32_at(unit, 4 * i + 2)), isa.splat8(2))
}

impl QuantFormat for Q1_0 {
    const NAME: &'static str = "q1_0";
    const BLOCK_LEN: usize = 128;
    const BLOCK_BYTES: usize = 18;
    type Shape = Shape<32, 32, false, false>;
    const BIAS: u8 = 1;

    #[inline(always)]
    fn codes<I: Isa>(isa: I, unit: &[u8], chunk: usize) -> (I::B32, I::B32) {
        (
            codes32(isa, unit, 2 * chunk),
            codes32(isa, unit, 2 * chunk + 1),
        )
    }

    f16_scales!();
}
