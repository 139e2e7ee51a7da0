//! Q6_K: 256 weights in 210 bytes; each 16 have an int8 scale: `w = d * sc * (q - 32)`.
//!
//! Half `h` (128 weights) has 64 bytes of low nibbles at `64h` and 32 bytes of high pairs at `128 + 32h`.

use super::{Block, QuantFormat, Scales, Shape, Tables, masked, shifted};
use crate::isa::Isa;

pub(crate) struct Q6K;

impl QuantFormat for Q6K {
    const NAME: &'static str = "q6_k";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 210;
    type Shape = Shape<16, 256, 0, 63, 32>;
    const STORE_COLUMNS: bool = true;
    const SPAN: usize = 128;
    // As they are used: scales, then of each half the first low nibbles, their high pairs, and so on.
    const PIECES: &'static [usize] = &[192, 0, 128, 16, 144, 32, 48, 64, 160, 80, 176, 96, 112];
    const IN_ORDER: bool = true;
    const FIELDS: &'static [(usize, usize)] = &[(208, 2)];

    #[inline(always)]
    fn codes<I: Isa, const S: usize>(isa: I, block: Block<'_>, _: &Tables) -> [I::B64; 4] {
        let half = 4 + 24 * block.span;
        let low = const { [0, 8, 16, 20][S % 4] };
        let packed = block.four(isa, half + low);
        let [a, b, c, d] = if S < 4 {
            masked(isa, packed, 15)
        } else {
            shifted::<I, 4>(isa, packed)
        };
        let [e, f, g, h] = block.four(isa, half + 4 + 8 * (S % 2));
        [
            isa.or(a, high_pair::<I, S>(isa, e)),
            isa.or(b, high_pair::<I, S>(isa, f)),
            isa.or(c, high_pair::<I, S>(isa, g)),
            isa.or(d, high_pair::<I, S>(isa, h)),
        ]
    }

    #[inline(always)]
    fn scales<I: Isa>(isa: I, block: Block<'_>, _: usize, out: &mut Scales) {
        let d = block.halves(isa, 208);
        for (i, sc) in block.four_words(isa, 0).into_iter().enumerate() {
            let bytes = [
                isa.shl_i32::<24>(sc),
                isa.shl_i32::<16>(sc),
                isa.shl_i32::<8>(sc),
                sc,
            ];
            for (j, byte) in bytes.into_iter().enumerate() {
                let sc = isa.to_f32(isa.sar_i32::<24>(byte));
                isa.store(isa.mul(d, sc), &mut out.ws[4 * i + j]);
            }
        }
    }
}

/// Bits 4 and 5 of the codes of sixteen `S`, out of the byte that has four such pairs.
#[inline(always)]
fn high_pair<I: Isa, const S: usize>(isa: I, high: I::B64) -> I::B64 {
    let moved = match S / 2 {
        0 => isa.shl8::<4>(high),
        1 => isa.shl8::<2>(high),
        2 => high,
        _ => isa.shr8::<2>(high),
    };
    isa.and(moved, isa.splat8(0x30))
}
