//! IQ1_M: 256 weights in 56 bytes: IQ1_S's patterns with a shift for each 8 and a 3-bit scale for 16.

use super::iq1_s::part;
use super::iq2_xxs::half;
use super::{Block, QuantFormat, Scales, Shape, Tables, codebook, word_at};
use crate::isa::Isa;

pub(crate) struct Iq1M;

impl QuantFormat for Iq1M {
    const NAME: &'static str = "iq1_m";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 56;
    type Shape = Shape<16, 256, 0, 31, 16>;
    const CHEAP: bool = false;
    const BOOK: bool = true;
    const STORE_COLUMNS: bool = true;
    const SPAN: usize = 32;
    const PIECES: &'static [usize] = &[0, 16, 32, 40];

    #[inline(always)]
    fn codes<I: Isa, const S: usize>(isa: I, block: Block<'_>, _: &Tables) -> [I::B64; 4] {
        let g = block.span;
        // Four patterns' high bits and shifts are the nibbles of a u16: to four bytes.
        let nibbles = word_at(isa, block.column(isa, 8 + g / 2), g % 2);
        let more = isa.or_i32(
            isa.or_i32(
                part::<I, 0>(isa, nibbles, 15),
                part::<I, 4>(isa, nibbles, 0xf00),
            ),
            isa.or_i32(
                part::<I, 8>(isa, nibbles, 0xf_0000),
                part::<I, 12>(isa, nibbles, 0xf00_0000),
            ),
        );
        let ones = isa.and_i32(isa.shr_i32::<3>(more), isa.splat_i32(0x0101_0101));
        let minus = isa.as_words(isa.sub8(isa.splat8(0), isa.as_bytes(ones)));
        half::<_, S>(isa.eights(&codebook::IQ1, block.column(isa, g), more, minus))
    }

    #[inline(always)]
    fn scales<I: Isa>(isa: I, block: Block<'_>, _: usize, out: &mut Scales) {
        // Four u16: on top the nibbles of d, below four 3-bit scales each.
        let (a, b) = (block.column(isa, 14), block.column(isa, 15));
        let nibbles = isa.or_i32(
            isa.or_i32(
                isa.and_i32(isa.shr_i32::<12>(a), isa.splat_i32(0xf)),
                isa.and_i32(isa.shr_i32::<24>(a), isa.splat_i32(0xf0)),
            ),
            isa.or_i32(
                isa.and_i32(isa.shr_i32::<4>(b), isa.splat_i32(0xf00)),
                isa.and_i32(isa.shr_i32::<16>(b), isa.splat_i32(0xf000)),
            ),
        );
        let d = isa.mul(isa.low_f16(nibbles), isa.splat(0.125));
        for g in 0..16 {
            let four = word_at(isa, if g < 8 { a } else { b }, g / 4 % 2);
            let sc = isa.as_words(isa.shr_words(isa.as_bytes(four), 3 * (g as u32 % 4)));
            let sc = isa.to_f32(isa.and_i32(sc, isa.splat_i32(7)));
            let odd = isa.mul_add(sc, isa.splat(2.0), isa.splat(1.0));
            isa.store(isa.mul(d, odd), &mut out.ws[g]);
        }
    }
}
