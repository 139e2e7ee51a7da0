//! IQ2_XXS: 256 weights in 66 bytes: patterns of 8 magnitudes from a codebook, 7 sign bits each,
//! a 4-bit scale for 32: `w = d * (sc + 0.5) / 4 * ±pattern`; codes are the weight + 64.

use tensor::grid;

use super::{Block, QuantFormat, Scales, Shape, Tables, byte};
use crate::isa::Isa;

pub(crate) struct Iq2Xxs;

/// Codes of 16 magnitudes with signs, + 64: bit `i` of `s` and `t` is a minus before the first and the second eight.
#[inline(always)]
pub(super) fn signed_codes<I: Isa>(
    isa: I,
    [a, b, c, d]: [I::B64; 4],
    s: I::I32,
    t: I::I32,
) -> [I::B64; 4] {
    [
        signed(isa, a, s),
        signed(isa, b, isa.shr_i32::<4>(s)),
        signed(isa, c, t),
        signed(isa, d, isa.shr_i32::<4>(t)),
    ]
}

#[inline(always)]
fn signed<I: Isa>(isa: I, magnitudes: I::B64, signs: I::I32) -> I::B64 {
    let minus = isa.mask4(signs);
    // Two's complement: flip the bits and add one where negative.
    let value = isa.sub8(isa.xor(magnitudes, minus), minus);
    isa.add8(value, isa.splat8(64))
}

/// The low seven bits, completed by an eighth so that the number of ones is even.
#[inline(always)]
pub(super) fn even_signs<I: Isa>(isa: I, bits: I::I32) -> I::I32 {
    let seven = isa.and_i32(bits, isa.splat_i32(127));
    let folded = isa.xor_i32(seven, isa.shr_i32::<4>(seven));
    let folded = isa.xor_i32(folded, isa.shr_i32::<2>(folded));
    let folded = isa.xor_i32(folded, isa.shr_i32::<1>(folded));
    let parity = isa.and_i32(folded, isa.splat_i32(1));
    isa.or_i32(seven, isa.shl_i32::<7>(parity))
}

impl QuantFormat for Iq2Xxs {
    const NAME: &'static str = "iq2_xxs";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 66;
    type Shape = Shape<32, 256, 0, 127, 64>;
    const CHEAP: bool = false;
    const PIECES: &'static [usize] = &[2, 18, 34, 50];

    #[inline(always)]
    fn codes<I: Isa, const S: usize>(isa: I, block: Block<'_>, _: &Tables) -> [I::B64; 4] {
        let (index, signs) = (
            block.column(isa, 2 * (S / 2)),
            block.column(isa, 2 * (S / 2) + 1),
        );
        let first = byte(isa, index, 2 * (S % 2));
        let second = byte(isa, index, 2 * (S % 2) + 1);
        let sevens = if S.is_multiple_of(2) {
            [signs, isa.shr_i32::<7>(signs)]
        } else {
            [isa.shr_i32::<14>(signs), isa.shr_i32::<21>(signs)]
        };
        let [s, t] = [even_signs(isa, sevens[0]), even_signs(isa, sevens[1])];
        let [a, b] = isa.gather8(&grid::IQ2_XXS, first);
        let [c, d] = isa.gather8(&grid::IQ2_XXS, second);
        signed_codes(isa, [a, b, c, d], s, t)
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
