//! Q5_K: Q4_K with a fifth bit for each weight, 176 bytes; bit `2c` and `2c+1` of the 32 bytes at 16
//! belong to the two halves of the 64 weights `c`.

use super::q4_k::scales_and_mins;
use super::{Block, QuantFormat, Scales, Shape, Tables, masked, shifted};
use crate::isa::Isa;

pub(crate) struct Q5K;

impl QuantFormat for Q5K {
    const NAME: &'static str = "q5_k";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 176;
    type Shape = Shape<32, 256, 32, 31, 0>;
    const STORE_COLUMNS: bool = true;
    const SPAN: usize = 64;
    const PIECES: &'static [usize] = &[0, 16, 32, 48, 64, 80, 96, 112, 128, 144, 160];
    const FIELDS: &'static [(usize, usize)] = &[];

    #[inline(always)]
    fn codes<I: Isa, const S: usize>(isa: I, block: Block<'_>, _: &Tables) -> [I::B64; 4] {
        let packed = block.four(isa, 12 + 8 * block.span + 4 * (S % 2));
        let [a, b, c, d] = if S < 2 {
            masked(isa, packed, 15)
        } else {
            shifted::<I, 4>(isa, packed)
        };
        let bit = 2 * block.span + S / 2;
        let [e, f, g, h] = bits_at(isa, block.four(isa, 4 + 4 * (S % 2)), bit);
        [
            isa.or(a, isa.shl8::<4>(e)),
            isa.or(b, isa.shl8::<4>(f)),
            isa.or(c, isa.shl8::<4>(g)),
            isa.or(d, isa.shl8::<4>(h)),
        ]
    }

    #[inline(always)]
    fn scales<I: Isa>(isa: I, block: Block<'_>, _: usize, out: &mut Scales) {
        scales_and_mins::<I, false>(isa, block, out);
    }
}

/// Bit `bit` of each byte, in bit 0.
#[inline(always)]
pub(super) fn bits_at<I: Isa>(isa: I, [a, b, c, d]: [I::B64; 4], bit: usize) -> [I::B64; 4] {
    let moved = [
        isa.shr_words(a, bit as u32),
        isa.shr_words(b, bit as u32),
        isa.shr_words(c, bit as u32),
        isa.shr_words(d, bit as u32),
    ];
    masked(isa, moved, 1)
}
