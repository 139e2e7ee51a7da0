//! IQ3_XXS: 256 weights in 98 bytes: patterns of 4 magnitudes by 8-bit indices; 7 sign bits for 8, a
//! 4-bit scale for 32: `w = d * (sc + 0.5) / 2 * ±pattern`; codes are the weight + 64.

use super::{Block, QuantFormat, Scales, Shape, Tables, codebook};
use crate::isa::Isa;

pub(crate) struct Iq3Xxs;

impl QuantFormat for Iq3Xxs {
    const NAME: &'static str = "iq3_xxs";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 98;
    type Shape = Shape<32, 256, 0, 127, 64>;
    const CHEAP: bool = false;
    const BOOK: bool = true;
    const TOGETHER: usize = 2;
    const STORE_COLUMNS: bool = true;
    const SPAN: usize = 32;
    const PIECES: &'static [usize] = &[2, 18, 34, 50, 66, 82];
    const FIELDS: &'static [(usize, usize)] = &[(0, 2)];

    #[inline(always)]
    fn together<I: Isa>(isa: I, block: Block<'_>, _: &Tables) -> [[I::B64; 4]; 4] {
        let g = block.span;
        let signs = isa.even_signs(isa.sevens(block.column(isa, 16 + g)));
        let (index, more) = (block.column(isa, 2 * g), isa.zero());
        let a = isa.fours(&codebook::IQ3_XXS, index, more, signs);
        let (index, signs) = (block.column(isa, 2 * g + 1), isa.shr_i32::<16>(signs));
        let b = isa.fours(&codebook::IQ3_XXS, index, more, signs);
        [a, b, a, b]
    }

    #[inline(always)]
    fn scales<I: Isa>(isa: I, block: Block<'_>, _: usize, out: &mut Scales) {
        let d = block.halves(isa, 0);
        for g in 0..8 {
            let sc = isa.to_f32(isa.shr_i32::<28>(block.column(isa, 16 + g)));
            let scale = isa.mul(d, isa.add(isa.splat(0.5), sc));
            isa.store(isa.mul(scale, isa.splat(0.5)), &mut out.ws[g]);
        }
    }
}
