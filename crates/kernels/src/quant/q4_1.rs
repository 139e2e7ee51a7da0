//! Q4_1: 32 weights in 20 bytes, `w = d * q + m`.

use super::{Block, FLOAT_MINS, QuantFormat, Shape, Tables, f16_scales};
use crate::isa::Isa;

pub(crate) struct Q4_1;

impl QuantFormat for Q4_1 {
    const NAME: &'static str = "q4_1";
    const BLOCK_LEN: usize = 32;
    const BLOCK_BYTES: usize = 20;
    type Shape = Shape<32, 32, FLOAT_MINS, 15, 0>;
    const PIECES: &'static [usize] = &[4];
    const IN_ORDER: bool = true;
    const FIELDS: &'static [(usize, usize)] = &[(0, 4)];

    #[inline(always)]
    fn codes<I: Isa, const S: usize>(isa: I, block: Block<'_>, _: &Tables) -> [I::B64; 4] {
        block.nibbles(isa, 0, S == 1)
    }

    f16_scales!();
}
