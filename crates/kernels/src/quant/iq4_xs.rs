//! IQ4_XS: 256 weights in 136 bytes: IQ4_NL's steps, a 6-bit scale less 32 for each 32 weights.

use super::iq4_nl::STEPS;
use super::{Block, QuantFormat, Scales, Shape, Tables, byte, looked_up};
use crate::isa::Isa;

pub(crate) struct Iq4Xs;

impl QuantFormat for Iq4Xs {
    const NAME: &'static str = "iq4_xs";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 136;
    type Shape = Shape<32, 256, 0, 255, 128>;
    const STORE_COLUMNS: bool = true;
    const SPAN: usize = 32;
    const PIECES: &'static [usize] = &[8, 24, 40, 56, 72, 88, 104, 120];
    const IN_ORDER: bool = true;
    const FIELDS: &'static [(usize, usize)] = &[(0, 4), (4, 4)];

    #[inline(always)]
    fn codes<I: Isa, const S: usize>(isa: I, block: Block<'_>, _: &Tables) -> [I::B64; 4] {
        looked_up(isa, &STEPS, block.nibbles(isa, 4 * block.span, S == 1))
    }

    #[inline(always)]
    fn scales<I: Isa>(isa: I, block: Block<'_>, _: usize, out: &mut Scales) {
        let first = block.words(isa, 0);
        let d = isa.low_f16(first);
        let (low, high) = (block.words(isa, 4), isa.shr_i32::<16>(first));
        for g in 0..8 {
            let nibbles = byte(isa, low, g / 2);
            let nibble = if g % 2 == 0 {
                isa.and_i32(nibbles, isa.splat_i32(15))
            } else {
                isa.shr_i32::<4>(nibbles)
            };
            let pairs = byte(isa, high, g / 4);
            let pair = match g % 4 {
                0 => isa.shl_i32::<4>(pairs),
                1 => isa.shl_i32::<2>(pairs),
                2 => pairs,
                _ => isa.shr_i32::<2>(pairs),
            };
            let sc = isa.or_i32(nibble, isa.and_i32(pair, isa.splat_i32(0x30)));
            let sc = isa.sub(isa.to_f32(sc), isa.splat(32.0));
            isa.store(isa.mul(d, sc), &mut out.ws[g]);
        }
    }
}
