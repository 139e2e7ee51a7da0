//! Q8_0: 32 weights in 34 bytes, `w = d * q` with int8 `q`; codes are `q + 128`.

use super::{Block, QuantFormat, Shape, Tables, f16_scales};
use crate::isa::Isa;

pub(crate) struct Q8_0;

/// Int8 weights of four columns, + 128.
#[inline(always)]
pub(super) fn unsigned<I: Isa>(isa: I, [a, b, c, d]: [I::B64; 4]) -> [I::B64; 4] {
    let flip = isa.splat8(128);
    [
        isa.xor(a, flip),
        isa.xor(b, flip),
        isa.xor(c, flip),
        isa.xor(d, flip),
    ]
}

impl QuantFormat for Q8_0 {
    const NAME: &'static str = "q8_0";
    const BLOCK_LEN: usize = 32;
    const BLOCK_BYTES: usize = 34;
    type Shape = Shape<32, 32, 0, 255, 128>;
    const PIECES: &'static [usize] = &[2, 18];
    const IN_ORDER: bool = true;
    const FIELDS: &'static [(usize, usize)] = &[(0, 2)];

    #[inline(always)]
    fn codes<I: Isa, const S: usize>(isa: I, block: Block<'_>, _: &Tables) -> [I::B64; 4] {
        unsigned(isa, block.four(isa, 4 * S))
    }

    f16_scales!();
}
