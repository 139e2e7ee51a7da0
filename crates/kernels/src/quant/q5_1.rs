//! Q5_1: 32 weights in 24 bytes, `w = d * q + m`; the fifth bits are a 32-bit mask at byte 4.

use super::q5_0::five_bits;
use super::{Block, FLOAT_MINS, QuantFormat, Shape, Tables, f16_scales};
use crate::isa::Isa;

pub(crate) struct Q5_1;

impl QuantFormat for Q5_1 {
    const NAME: &'static str = "q5_1";
    const BLOCK_LEN: usize = 32;
    const BLOCK_BYTES: usize = 24;
    type Shape = Shape<32, 32, FLOAT_MINS, 31, 0>;
    const PIECES: &'static [usize] = &[8];
    const IN_ORDER: bool = true;
    const FIELDS: &'static [(usize, usize)] = &[(0, 4), (4, 4)];

    #[inline(always)]
    fn codes<I: Isa, const S: usize>(isa: I, block: Block<'_>, _: &Tables) -> [I::B64; 4] {
        five_bits::<I, S>(isa, block, block.words(isa, 4))
    }

    f16_scales!();
}
