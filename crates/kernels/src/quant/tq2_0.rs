//! TQ2_0: 256 ternary weights in 66 bytes, `w = d * (q - 1)`, packed as Q2_K's pairs.

use super::q2_k::bit_pairs;
use super::{Block, QuantFormat, Scales, Shape, Tables};
use crate::isa::Isa;

pub(crate) struct Tq2_0;

impl QuantFormat for Tq2_0 {
    const NAME: &'static str = "tq2_0";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 66;
    type Shape = Shape<256, 256, 0, 15, 1>;
    const SPAN: usize = 128;
    const PIECES: &'static [usize] = &[0, 16, 32, 48];
    const FIELDS: &'static [(usize, usize)] = &[(64, 2)];

    #[inline(always)]
    fn codes<I: Isa, const S: usize>(isa: I, block: Block<'_>, _: &Tables) -> [I::B64; 4] {
        bit_pairs::<I, S>(isa, block, 0)
    }

    #[inline(always)]
    fn scales<I: Isa>(isa: I, block: Block<'_>, _: usize, out: &mut Scales) {
        isa.store(block.halves(isa, 64), &mut out.ws[0]);
    }
}
