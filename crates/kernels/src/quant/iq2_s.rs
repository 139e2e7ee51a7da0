//! IQ2_S: 256 weights in 82 bytes: 10-bit codebook indices, plain sign bits, a 4-bit scale for 16:
//! `w = d * (sc + 0.5) / 4 * ±pattern`; codes are the weight + 64.

use tensor::grid;

use super::iq2_xs::nibble_scales;
use super::iq2_xxs::signed_codes;
use super::{Block, QuantFormat, Scales, Shape, Tables, byte};
use crate::isa::Isa;

pub(crate) struct Iq2S;

impl QuantFormat for Iq2S {
    const NAME: &'static str = "iq2_s";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 82;
    type Shape = Shape<16, 256, 0, 127, 64>;
    const CHEAP: bool = false;
    const PIECES: &'static [usize] = &[2, 18, 34, 50];

    #[inline(always)]
    fn codes<I: Isa, const S: usize>(isa: I, block: Block<'_>, _: &Tables) -> [I::B64; 4] {
        let qs = block.column(isa, S / 2);
        let high = byte(isa, block.words(isa, 66 + S / 8 * 4), S / 2 % 4);
        let signs = block.column(isa, 8 + S / 2);
        // Bits 8 and 9 of the index, moved there from bits 2k of the byte.
        let (third, fourth) = if S.is_multiple_of(2) {
            (isa.shl_i32::<8>(high), isa.shl_i32::<6>(high))
        } else {
            (isa.shl_i32::<4>(high), isa.shl_i32::<2>(high))
        };
        let top = isa.splat_i32(0x300);
        let first = isa.or_i32(byte(isa, qs, 2 * (S % 2)), isa.and_i32(third, top));
        let second = isa.or_i32(byte(isa, qs, 2 * (S % 2) + 1), isa.and_i32(fourth, top));
        let [a, b] = isa.gather8(&grid::IQ2_S, first);
        let [c, d] = isa.gather8(&grid::IQ2_S, second);
        let s = byte(isa, signs, 2 * (S % 2));
        let t = byte(isa, signs, 2 * (S % 2) + 1);
        signed_codes(isa, [a, b, c, d], s, t)
    }

    #[inline(always)]
    fn scales<I: Isa>(isa: I, block: Block<'_>, _: usize, out: &mut Scales) {
        nibble_scales(isa, block, 74, out);
    }
}
