//! Q2_0: 64 weights in 18 bytes, `w = d * (q - 1)`; four neighbours share a byte, lowest bits first.

use super::{QuantFormat, Shape, bytes_at, f16_scales};
use crate::isa::Isa;

pub(crate) struct Q2_0;

/// Codes of 32 weights, the `i`-th 32 of a unit.
#[inline(always)]
fn codes32<I: Isa>(isa: I, unit: &[u8], i: usize) -> I::B32 {
    let packed: &[u8; 8] = bytes_at(unit, 8 * i + 2);
    let mut spread = [0; 32];
    for (j, code) in spread.iter_mut().enumerate() {
        *code = packed[j / 4] >> (2 * (j % 4)) & 3;
    }
    isa.load32(&spread)
}

impl QuantFormat for Q2_0 {
    const NAME: &'static str = "q2_0";
    const BLOCK_LEN: usize = 64;
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
