//! IQ2_XXS: 256 weights in 66 bytes: patterns of 8 magnitudes from a codebook, 7 sign bits each,
//! a 4-bit scale for 32: `w = d * (sc + 0.5) / 4 * ±pattern`; codes are the weight + 64.

use super::{Block, QuantFormat, Scales, Shape, Tables, codebook};
use crate::isa::Isa;

pub(crate) struct Iq2Xxs;

/// 32 codes of each row in two sixteens, both twice.
#[inline(always)]
pub(super) fn twice<B: Copy>([a, b, c, d, e, f, g, h]: [B; 8]) -> [[B; 4]; 4] {
    [[a, b, c, d], [e, f, g, h], [a, b, c, d], [e, f, g, h]]
}

impl QuantFormat for Iq2Xxs {
    const NAME: &'static str = "iq2_xxs";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 66;
    type Shape = Shape<32, 256, 0, 127, 64>;
    const CHEAP: bool = false;
    const BOOK: bool = true;
    const TOGETHER: usize = 2;
    const STORE_COLUMNS: bool = true;
    const SPAN: usize = 32;
    const PIECES: &'static [usize] = &[2, 18, 34, 50];
    const FIELDS: &'static [(usize, usize)] = &[(0, 2)];

    #[inline(always)]
    fn together<I: Isa>(isa: I, block: Block<'_>, _: &Tables) -> [[I::B64; 4]; 4] {
        let g = block.span;
        let (index, signs) = (block.column(isa, 2 * g), block.column(isa, 2 * g + 1));
        let signs = isa.even_signs(isa.sevens(signs));
        twice(isa.eights(&codebook::IQ2_XXS, index, isa.zero(), signs))
    }

    #[inline(always)]
    fn scales<I: Isa>(isa: I, block: Block<'_>, _: usize, out: &mut Scales) {
        let d = block.halves(isa, 0);
        for g in 0..8 {
            let sc = isa.to_f32(isa.shr_i32::<28>(block.column(isa, 2 * g + 1)));
            let scale = isa.mul(d, isa.add(isa.splat(0.5), sc));
            isa.store(isa.mul(scale, isa.splat(0.25)), &mut out.ws[g]);
        }
    }
}
