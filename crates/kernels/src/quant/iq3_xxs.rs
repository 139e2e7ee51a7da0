//! IQ3_XXS: 256 weights in 98 bytes: patterns of 4 magnitudes by 8-bit indices; 7 sign bits for 8, a
//! 4-bit scale for 32: `w = d * (sc + 0.5) / 2 * ±pattern`; codes are the weight + 64.

use tensor::grid;

use super::iq2_xxs::{even_signs, signed_codes};
use super::{Block, QuantFormat, Scales, Shape, Tables, byte};
use crate::isa::Isa;

pub(crate) struct Iq3Xxs;

/// Four patterns of four by the bytes of `low` and, above them, bits 0..4 of `ninth`.
#[inline(always)]
pub(super) fn fours<I: Isa, const N: usize>(
    isa: I,
    table: &[[i8; 4]; N],
    low: I::I32,
    ninth: I::I32,
) -> [I::B64; 4] {
    let top = isa.splat_i32(0x100);
    let a = isa.or_i32(byte(isa, low, 0), isa.and_i32(isa.shl_i32::<8>(ninth), top));
    let b = isa.or_i32(byte(isa, low, 1), isa.and_i32(isa.shl_i32::<7>(ninth), top));
    let c = isa.or_i32(byte(isa, low, 2), isa.and_i32(isa.shl_i32::<6>(ninth), top));
    let d = isa.or_i32(byte(isa, low, 3), isa.and_i32(isa.shl_i32::<5>(ninth), top));
    [
        isa.gather4(table, a),
        isa.gather4(table, b),
        isa.gather4(table, c),
        isa.gather4(table, d),
    ]
}

impl QuantFormat for Iq3Xxs {
    const NAME: &'static str = "iq3_xxs";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 98;
    type Shape = Shape<32, 256, 0, 127, 64>;
    const CHEAP: bool = false;
    const PIECES: &'static [usize] = &[2, 18, 34, 50, 66, 82];

    #[inline(always)]
    fn codes<I: Isa, const S: usize>(isa: I, block: Block<'_>, _: &Tables) -> [I::B64; 4] {
        let magnitudes = fours(isa, &grid::IQ3_XXS, block.column(isa, S), isa.zero());
        let signs = block.column(isa, 16 + S / 2);
        let sevens = if S.is_multiple_of(2) {
            [signs, isa.shr_i32::<7>(signs)]
        } else {
            [isa.shr_i32::<14>(signs), isa.shr_i32::<21>(signs)]
        };
        let [s, t] = [even_signs(isa, sevens[0]), even_signs(isa, sevens[1])];
        signed_codes(isa, magnitudes, s, t)
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
