//! IQ3_S: 256 weights in 110 bytes: patterns of 4 magnitudes by 9-bit indices, plain sign bits, a
//! 4-bit scale for 32: `w = d * (2 sc + 1) * ±pattern`; codes are the weight + 64.

use super::{Block, QuantFormat, Scales, Shape, Tables, byte, byte_at, codebook};
use crate::isa::Isa;

pub(crate) struct Iq3S;

impl QuantFormat for Iq3S {
    const NAME: &'static str = "iq3_s";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 110;
    type Shape = Shape<32, 256, 0, 127, 64>;
    const CHEAP: bool = false;
    const BOOK: bool = true;
    const TOGETHER: usize = 2;
    const STORE_COLUMNS: bool = true;
    const SPAN: usize = 32;
    const PIECES: &'static [usize] = &[2, 18, 34, 50, 66, 82, 94];
    const FIELDS: &'static [(usize, usize)] = &[(0, 2)];

    #[inline(always)]
    fn together<I: Isa>(isa: I, block: Block<'_>, _: &Tables) -> [[I::B64; 4]; 4] {
        let g = block.span;
        let (high, signs) = (
            byte_at(isa, block.column(isa, 16 + g / 4), g % 4),
            // Two of the runs of bytes overlap in a column.
            block.column(isa, 18 + g + g / 6),
        );
        let more = isa.as_words(isa.mask4(high));
        let a = isa.fours(&codebook::IQ3_S, block.column(isa, 2 * g), more, signs);
        let more = isa.as_words(isa.mask4(isa.shr_i32::<4>(high)));
        let signs = isa.shr_i32::<16>(signs);
        let b = isa.fours(&codebook::IQ3_S, block.column(isa, 2 * g + 1), more, signs);
        [a, b, a, b]
    }

    #[inline(always)]
    fn scales<I: Isa>(isa: I, block: Block<'_>, _: usize, out: &mut Scales) {
        let d = block.halves(isa, 0);
        let packed = block.column(isa, 27);
        for j in 0..4 {
            let both = byte(isa, packed, j);
            let pair = [isa.and_i32(both, isa.splat_i32(15)), isa.shr_i32::<4>(both)];
            for (half, sc) in pair.into_iter().enumerate() {
                let odd = isa.mul_add(isa.to_f32(sc), isa.splat(2.0), isa.splat(1.0));
                isa.store(isa.mul(d, odd), &mut out.ws[2 * j + half]);
            }
        }
    }
}
