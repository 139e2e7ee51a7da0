//! IQ2_XS: 256 weights in 74 bytes: each u16 is a 9-bit codebook index and 7 sign bits; a 4-bit
//! scale for 16: `w = d * (sc + 0.5) / 4 * ±pattern`; codes are the weight + 64.

use super::iq2_xxs::twice;
use super::{Block, QuantFormat, Scales, Shape, Tables, byte, codebook};
use crate::isa::Isa;

pub(crate) struct Iq2Xs;

/// Sixteen 4-bit scales in columns 18 and 19: `d * (sc + 0.5) / 4`.
#[inline(always)]
pub(super) fn nibble_scales<I: Isa>(isa: I, block: Block<'_>, out: &mut Scales) {
    let d = block.halves(isa, 0);
    for i in 0..2 {
        let packed = block.column(isa, 18 + i);
        for j in 0..4 {
            let both = byte(isa, packed, j);
            let pair = [isa.and_i32(both, isa.splat_i32(15)), isa.shr_i32::<4>(both)];
            for (half, sc) in pair.into_iter().enumerate() {
                let scale = isa.mul(d, isa.add(isa.splat(0.5), isa.to_f32(sc)));
                let scale = isa.mul(scale, isa.splat(0.25));
                isa.store(scale, &mut out.ws[8 * i + 2 * j + half]);
            }
        }
    }
}

impl QuantFormat for Iq2Xs {
    const NAME: &'static str = "iq2_xs";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 74;
    type Shape = Shape<16, 256, 0, 127, 64>;
    const CHEAP: bool = false;
    const BOOK: bool = true;
    const TOGETHER: usize = 2;
    const STORE_COLUMNS: bool = true;
    const SPAN: usize = 32;
    const PIECES: &'static [usize] = &[2, 18, 34, 50, 58];
    const FIELDS: &'static [(usize, usize)] = &[(0, 2)];

    #[inline(always)]
    fn together<I: Isa>(isa: I, block: Block<'_>, _: &Tables) -> [[I::B64; 4]; 4] {
        let g = block.span;
        let (a, b) = (block.column(isa, 2 * g), block.column(isa, 2 * g + 1));
        // Low and high bytes of patterns 0, 2, 1, 3.
        let (low, high) = (
            isa.splat_i32(0x00ff_00ff),
            isa.splat_i32(0xff00_ff00_u32 as i32),
        );
        let index = isa.or_i32(isa.and_i32(a, low), isa.and_i32(isa.shl_i32::<8>(b), high));
        let rest = isa.or_i32(isa.and_i32(isa.shr_i32::<8>(a), low), isa.and_i32(b, high));
        let signs = isa.even_signs(isa.shr_i32::<1>(rest));
        let [a, b, e, f, c, d, g, h] = isa.eights(&codebook::IQ2_XS, index, rest, signs);
        twice([a, b, c, d, e, f, g, h])
    }

    #[inline(always)]
    fn scales<I: Isa>(isa: I, block: Block<'_>, _: usize, out: &mut Scales) {
        nibble_scales(isa, block, out);
    }
}
