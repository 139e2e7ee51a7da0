//! IQ1_S: 256 weights in 50 bytes: patterns of 8 ternary weights by 11-bit indices, shifted by ±1/8; a
//! 3-bit scale for 32: `w = d * (2 sc + 1) * (pattern ± 1/8)`. Codes are 8 times the bracket, + 16,
//! and the scale is divided by 8: both exact.

use super::iq2_xxs::half;
use super::{Block, QuantFormat, Scales, Shape, Tables, codebook, word_at};
use crate::isa::Isa;

pub(crate) struct Iq1S;

/// `a << N`, of which `mask`.
#[inline(always)]
pub(super) fn part<I: Isa, const N: u32>(isa: I, a: I::I32, mask: i32) -> I::I32 {
    isa.and_i32(isa.shl_i32::<N>(a), isa.splat_i32(mask))
}

impl QuantFormat for Iq1S {
    const NAME: &'static str = "iq1_s";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 50;
    type Shape = Shape<32, 256, 0, 31, 16>;
    const CHEAP: bool = false;
    const BOOK: bool = true;
    const STORE_COLUMNS: bool = true;
    const SPAN: usize = 32;
    const PIECES: &'static [usize] = &[2, 18, 34];

    #[inline(always)]
    fn codes<I: Isa, const S: usize>(isa: I, block: Block<'_>, _: &Tables) -> [I::B64; 4] {
        let g = block.span;
        let qh = word_at(isa, block.column(isa, 8 + g / 2), g % 2);
        // Bits 8 to 10 of the indices, moved to four bytes from bits 3k.
        let more = isa.or_i32(
            isa.or_i32(part::<I, 0>(isa, qh, 7), part::<I, 5>(isa, qh, 0x700)),
            isa.or_i32(
                part::<I, 10>(isa, qh, 0x7_0000),
                part::<I, 15>(isa, qh, 0x700_0000),
            ),
        );
        // The top bit of the 16, everywhere.
        let minus = isa.sar_i32::<31>(isa.shl_i32::<16>(qh));
        half::<_, S>(isa.eights(&codebook::IQ1, block.column(isa, g), more, minus))
    }

    #[inline(always)]
    fn scales<I: Isa>(isa: I, block: Block<'_>, _: usize, out: &mut Scales) {
        let d = isa.mul(block.halves(isa, 0), isa.splat(0.125));
        for g in 0..8 {
            let both = block.column(isa, 8 + g / 2);
            let sc = if g % 2 == 1 {
                isa.shr_i32::<28>(both)
            } else {
                isa.shr_i32::<12>(both)
            };
            let sc = isa.to_f32(isa.and_i32(sc, isa.splat_i32(7)));
            let odd = isa.mul_add(sc, isa.splat(2.0), isa.splat(1.0));
            isa.store(isa.mul(d, odd), &mut out.ws[g]);
        }
    }
}
