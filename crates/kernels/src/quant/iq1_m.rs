//! IQ1_M: 256 weights in 56 bytes: IQ1_S's patterns with a shift for each 8 and a 3-bit scale for 16.

use super::iq1_s::{four, part};
use super::{Block, QuantFormat, Scales, Shape, Tables, codebook};
use crate::isa::Isa;

pub(crate) struct Iq1M;

/// What goes with 32 weights: four patterns' high bits and shifts are the nibbles of the lower half of a lane; moved to
/// four bytes, and the shifts everywhere in them.
#[inline(always)]
fn more<I: Isa>(isa: I, nibbles: I::I32) -> [I::I32; 2] {
    let high = isa.or_i32(
        isa.or_i32(
            part::<I, 0>(isa, nibbles, 15),
            part::<I, 4>(isa, nibbles, 0xf00),
        ),
        isa.or_i32(
            part::<I, 8>(isa, nibbles, 0xf_0000),
            part::<I, 12>(isa, nibbles, 0xf00_0000),
        ),
    );
    let ones = isa.and_i32(isa.shr_i32::<3>(high), isa.splat_i32(0x0101_0101));
    let minus = isa.sub8(isa.splat8(0), isa.as_bytes(ones));
    [high, isa.as_words(minus)]
}

impl QuantFormat for Iq1M {
    const NAME: &'static str = "iq1_m";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 56;
    type Shape = Shape<16, 256, 0, 31, 16>;
    const CHEAP: bool = false;
    const BOOK: bool = true;
    const TOGETHER: usize = 4;
    const STORE_COLUMNS: bool = true;
    const SPAN: usize = 64;
    const PIECES: &'static [usize] = &[0, 16, 32, 40];
    const FIELDS: &'static [(usize, usize)] = &[];

    #[inline(always)]
    fn together<I: Isa>(isa: I, block: Block<'_>, _: &Tables) -> [[I::B64; 4]; 4] {
        let qh = block.column(isa, 8 + block.span);
        let qs = [
            block.column(isa, 2 * block.span),
            block.column(isa, 2 * block.span + 1),
        ];
        let ([a, s], [b, t]) = (more(isa, qh), more(isa, isa.shr_i32::<16>(qh)));
        four(isa.eights_twice(&codebook::IQ1, qs, [a, b], [s, t]))
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
        // `d * (2 sc + 1)`, for any finite `d` rounded once either way.
        let twice = isa.add(d, d);
        macro_rules! scales {
            ($($g:literal)*) => {$(
                let both = if $g < 8 { a } else { b };
                let sc = isa.shr_i32::<{ 16 * ($g / 4 % 2) + 3 * ($g % 4) }>(both);
                let sc = isa.to_f32(isa.and_i32(sc, isa.splat_i32(7)));
                isa.store(isa.mul_add(sc, twice, d), &mut out.ws[$g]);
            )*};
        }
        scales!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
    }
}
