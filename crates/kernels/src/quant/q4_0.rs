//! Q4_0: 32 weights in 18 bytes, `w = d * (q - 8)`.

use super::{Block, QuantFormat, Shape, Tables, f16_scales};
use crate::isa::Isa;

pub(crate) struct Q4_0;

impl QuantFormat for Q4_0 {
    const NAME: &'static str = "q4_0";
    const BLOCK_LEN: usize = 32;
    const BLOCK_BYTES: usize = 18;
    type Shape = Shape<32, 32, 0, 15, 8>;
    const PIECES: &'static [usize] = &[2];
    const IN_ORDER: bool = true;
    const FIELDS: &'static [(usize, usize)] = &[(0, 2)];

    #[inline(always)]
    fn codes<I: Isa, const S: usize>(isa: I, block: Block<'_>, _: &Tables) -> [I::B64; 4] {
        block.nibbles(isa, 0, S == 1)
    }

    f16_scales!();
}
