//! IQ2_S: 256 weights in 82 bytes: 10-bit codebook indices, plain sign bits, a 4-bit scale for 16:
//! `w = d * (sc + 0.5) / 4 * ±pattern`; codes are the weight + 64.

use super::iq2_xs::nibble_scales;
use super::iq2_xxs::twice;
use super::{Block, QuantFormat, Scales, Shape, Tables, byte_at, codebook};
use crate::isa::Isa;

pub(crate) struct Iq2S;

impl QuantFormat for Iq2S {
    const NAME: &'static str = "iq2_s";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 82;
    type Shape = Shape<16, 256, 0, 127, 64>;
    const CHEAP: bool = false;
    const BOOK: bool = true;
    const TOGETHER: usize = 2;
    const STORE_COLUMNS: bool = true;
    const SPAN: usize = 32;
    const PIECES: &'static [usize] = &[2, 18, 34, 50, 66];
    const FIELDS: &'static [(usize, usize)] = &[(0, 2)];

    #[inline(always)]
    fn together<I: Isa>(isa: I, block: Block<'_>, _: &Tables) -> [[I::B64; 4]; 4] {
        let g = block.span;
        // Bits 8 and 9 of the indices, moved to four bytes from the pairs of one.
        let high = byte_at(isa, block.column(isa, 16 + g / 4), g % 4);
        let more = isa.or_i32(
            isa.or_i32(high, isa.shl_i32::<6>(high)),
            isa.or_i32(isa.shl_i32::<12>(high), isa.shl_i32::<18>(high)),
        );
        let (index, signs) = (block.column(isa, g), block.column(isa, 8 + g));
        twice(isa.eights(&codebook::IQ2_S, index, more, signs))
    }

    #[inline(always)]
    fn scales<I: Isa>(isa: I, block: Block<'_>, _: usize, out: &mut Scales) {
        nibble_scales(isa, block, out);
    }
}
