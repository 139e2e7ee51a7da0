//! IQ4_NL: 32 weights in 18 bytes, `w = d * table[q]` with 16 uneven steps; codes are the step + 128.

use super::{Block, QuantFormat, Shape, Tables, f16_scales, looked_up};
use crate::isa::Isa;

pub(crate) struct Iq4Nl;

/// The 16 steps of IQ4_NL and IQ4_XS, each + 128.
pub(super) const STEPS: [u8; 16] = [
    1, 24, 45, 63, 79, 93, 106, 118, 129, 141, 153, 166, 181, 197, 217, 241,
];

impl QuantFormat for Iq4Nl {
    const NAME: &'static str = "iq4_nl";
    const BLOCK_LEN: usize = 32;
    const BLOCK_BYTES: usize = 18;
    type Shape = Shape<32, 32, 0, 255, 128>;
    const PIECES: &'static [usize] = &[2];
    const IN_ORDER: bool = true;
    const FIELDS: &'static [(usize, usize)] = &[(0, 2)];

    #[inline(always)]
    fn codes<I: Isa, const S: usize>(isa: I, block: Block<'_>, _: &Tables) -> [I::B64; 4] {
        looked_up(isa, &STEPS, block.nibbles(isa, 0, S == 1))
    }

    f16_scales!();
}
