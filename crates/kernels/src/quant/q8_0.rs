//! Q8_0: 32 weights in 34 bytes, `w = d * q` with int8 `q`; codes are `q + 128`.

use super::{QuantFormat, Shape, bytes_at, f16_scales};
use crate::isa::Isa;

pub(crate) struct Q8_0;

/// Codes of 32 weights, the `i`-th 32 of a unit.
#[inline(always)]
fn codes32<I: Isa>(isa: I, unit: &[u8], i: usize) -> I::B32 {
    isa.xor(isa.load32(bytes_at(unit, 34 * i + 2)), isa.splat8(128))
}

impl QuantFormat for Q8_0 {
    const NAME: &'static str = "q8_0";
    const BLOCK_LEN: usize = 32;
    const BLOCK_BYTES: usize = 34;
    type Shape = Shape<32, 32, false, true>;
    const BIAS: u8 = 128;

    #[inline(always)]
    fn codes<I: Isa>(isa: I, unit: &[u8], chunk: usize) -> (I::B32, I::B32) {
        (
            codes32(isa, unit, 2 * chunk),
            codes32(isa, unit, 2 * chunk + 1),
        )
    }

    f16_scales!();
}
