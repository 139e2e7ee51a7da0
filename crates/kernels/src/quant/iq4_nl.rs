//! IQ4_NL: 32 weights in 18 bytes, `w = d * table[q]` with 16 uneven steps; codes are the step + 128.

use super::{QuantFormat, Shape, bytes_at, f16_scales};
use crate::isa::Isa;

pub(crate) struct Iq4Nl;

/// The 16 steps of IQ4_NL and IQ4_XS, each + 128.
pub(super) const STEPS: [u8; 16] = [
    1, 24, 45, 63, 79, 93, 106, 118, 129, 141, 153, 166, 181, 197, 217, 241,
];

/// Codes of 32 weights, the `i`-th 32 of a unit.
#[inline(always)]
fn codes32<I: Isa>(isa: I, unit: &[u8], i: usize) -> I::B32 {
    isa.lookup16(&STEPS, isa.nibbles(bytes_at(unit, 18 * i + 2)))
}

impl QuantFormat for Iq4Nl {
    const NAME: &'static str = "iq4_nl";
    const BLOCK_LEN: usize = 32;
    const BLOCK_BYTES: usize = 18;
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
