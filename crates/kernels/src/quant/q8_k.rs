//! Q8_K: 256 weights in 292 bytes, `w = d * q` with f32 `d` and int8 `q`; codes are `q + 128`.
//!
//! ggml keeps activations in it; the sums after the codes are not needed for weights.

use super::q8_0::unsigned;
use super::{Block, QuantFormat, Scales, Shape, Tables};
use crate::isa::Isa;

pub(crate) struct Q8K;

impl QuantFormat for Q8K {
    const NAME: &'static str = "q8_k";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 292;
    type Shape = Shape<256, 256, 0, 255, 128>;
    const SPAN: usize = 16;
    const CHEAP: bool = false;
    const PIECES: &'static [usize] = &[
        4, 20, 36, 52, 68, 84, 100, 116, 132, 148, 164, 180, 196, 212, 228, 244,
    ];
    const FIELDS: &'static [(usize, usize)] = &[(0, 4), (260, 32)];

    #[inline(always)]
    fn codes<I: Isa, const S: usize>(isa: I, block: Block<'_>, _: &Tables) -> [I::B64; 4] {
        unsigned(isa, block.four(isa, 4 * block.span + S))
    }

    #[inline(always)]
    fn scales<I: Isa>(isa: I, block: Block<'_>, _: usize, out: &mut Scales) {
        isa.store(isa.as_f32(block.words(isa, 0)), &mut out.ws[0]);
    }
}
