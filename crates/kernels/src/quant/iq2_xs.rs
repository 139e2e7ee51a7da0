//! IQ2_XS: 256 weights in 74 bytes: each u16 is a 9-bit codebook index and 7 sign bits; a 4-bit
//! scale for 16: `w = d * (sc + 0.5) / 4 * ±pattern`; codes are the weight + 64.

use tensor::grid;

use super::iq2_xxs::{even_signs, signed_codes};
use super::{Block, QuantFormat, Scales, Shape, Tables, byte};
use crate::isa::Isa;

pub(crate) struct Iq2Xs;

/// Sixteen 4-bit scales at `field`: `d * (sc + 0.5) / 4`.
#[inline(always)]
pub(super) fn nibble_scales<I: Isa>(isa: I, block: Block<'_>, field: usize, out: &mut Scales) {
    let d = block.halves(isa, 0);
    for i in 0..2 {
        let packed = block.words(isa, field + 4 * i);
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
    const PIECES: &'static [usize] = &[2, 18, 34, 50];

    #[inline(always)]
    fn codes<I: Isa, const S: usize>(isa: I, block: Block<'_>, _: &Tables) -> [I::B64; 4] {
        let packed = block.column(isa, S);
        let [a, b] = isa.gather8(&grid::IQ2_XS, packed);
        let [c, d] = isa.gather8(&grid::IQ2_XS, isa.shr_i32::<16>(packed));
        let s = even_signs(isa, isa.shr_i32::<9>(packed));
        let t = even_signs(isa, isa.shr_i32::<25>(packed));
        signed_codes(isa, [a, b, c, d], s, t)
    }

    #[inline(always)]
    fn scales<I: Isa>(isa: I, block: Block<'_>, _: usize, out: &mut Scales) {
        nibble_scales(isa, block, 66, out);
    }
}
