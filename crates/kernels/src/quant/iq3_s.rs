//! IQ3_S: 256 weights in 110 bytes: patterns of 4 magnitudes by 9-bit indices, plain sign bits, a
//! 4-bit scale for 32: `w = d * (2 sc + 1) * ±pattern`; codes are the weight + 64.

use tensor::grid;

use super::iq2_xxs::signed_codes;
use super::iq3_xxs::fours;
use super::{Block, QuantFormat, Scales, Shape, Tables, byte};
use crate::isa::Isa;

pub(crate) struct Iq3S;

impl QuantFormat for Iq3S {
    const NAME: &'static str = "iq3_s";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 110;
    type Shape = Shape<32, 256, 0, 127, 64>;
    const CHEAP: bool = false;
    const PIECES: &'static [usize] = &[2, 18, 34, 50, 74, 90];

    #[inline(always)]
    fn codes<I: Isa, const S: usize>(isa: I, block: Block<'_>, _: &Tables) -> [I::B64; 4] {
        let high = byte(isa, block.words(isa, 66 + S / 8 * 4), S / 2 % 4);
        let (high, signs) = if S.is_multiple_of(2) {
            (high, block.column(isa, 16 + S / 2))
        } else {
            (
                isa.shr_i32::<4>(high),
                isa.shr_i32::<16>(block.column(isa, 16 + S / 2)),
            )
        };
        let magnitudes = fours(isa, &grid::IQ3_S, block.column(isa, S), high);
        signed_codes(isa, magnitudes, signs, isa.shr_i32::<8>(signs))
    }

    #[inline(always)]
    fn scales<I: Isa>(isa: I, block: Block<'_>, _: usize, out: &mut Scales) {
        let d = block.halves(isa, 0);
        let packed = block.words(isa, 106);
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
