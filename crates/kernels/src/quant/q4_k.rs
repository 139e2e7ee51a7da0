//! Q4_K: 256 weights in 144 bytes; each 32 have a 6-bit scale and minimum: `w = d*sc * q - dmin*m`.

use super::{Block, QuantFormat, Scales, Shape, Tables, WholeScales, byte, masked, shifted};
use crate::isa::Isa;

pub(crate) struct Q4K;

/// Scales and minimums of Q4_K and Q5_K, whose first 16 bytes (the first four columns) are the same: d
/// and dmin, then of the 6-bit numbers the first four scales, the first four minimums, and the low
/// nibbles of the other eight, whose high pairs lie above the first eight. `WHOLE`: scales are left whole.
#[inline(always)]
pub(super) fn scales_and_mins<I: Isa, const WHOLE: bool>(
    isa: I,
    block: Block<'_>,
    out: &mut Scales,
) {
    let [both, sc, m, more] = block.four_words(isa, 0);
    let d = isa.low_f16(both);
    isa.store(isa.sub(isa.splat(0.0), isa.high_f16(both)), &mut out.wm[0]);
    if WHOLE {
        isa.store(d, &mut out.d);
    }
    // Four numbers at a time, one in each byte.
    let (six, low, pair) = (
        isa.splat_i32(0x3f3f_3f3f),
        isa.splat_i32(0x0f0f_0f0f),
        isa.splat_i32(0x3030_3030),
    );
    let high_sc = isa.or_i32(
        isa.and_i32(more, low),
        isa.and_i32(isa.shr_i32::<2>(sc), pair),
    );
    let high_m = isa.or_i32(
        isa.and_i32(isa.shr_i32::<4>(more), low),
        isa.and_i32(isa.shr_i32::<2>(m), pair),
    );
    for (half, sc) in [isa.and_i32(sc, six), high_sc].into_iter().enumerate() {
        for j in 0..4 {
            let sc = isa.to_f32(byte(isa, sc, j));
            let ws = if WHOLE { sc } else { isa.mul(d, sc) };
            isa.store(ws, &mut out.ws[4 * half + j]);
        }
    }
    for (half, m) in [isa.and_i32(m, six), high_m].into_iter().enumerate() {
        store_pairs(isa, m, out, 2 * half);
    }
}

/// Four bytes of minimums as two pairs of i16.
#[inline(always)]
pub(super) fn store_pairs<I: Isa>(isa: I, m: I::I32, out: &mut Scales, first: usize) {
    let low = isa.or_i32(byte(isa, m, 0), isa.shl_i32::<16>(byte(isa, m, 1)));
    let high = isa.or_i32(byte(isa, m, 2), isa.shl_i32::<16>(byte(isa, m, 3)));
    isa.store_i32(low, &mut out.pairs[first]);
    isa.store_i32(high, &mut out.pairs[first + 1]);
}

impl QuantFormat for Q4K {
    const NAME: &'static str = "q4_k";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 144;
    type Shape = WholeScales<Shape<32, 256, 32, 15, 0>>;
    const SPAN: usize = 64;
    const PIECES: &'static [usize] = &[0, 16, 32, 48, 64, 80, 96, 112, 128];
    const IN_ORDER: bool = true;
    const FIELDS: &'static [(usize, usize)] = &[];

    #[inline(always)]
    fn codes<I: Isa, const S: usize>(isa: I, block: Block<'_>, _: &Tables) -> [I::B64; 4] {
        let packed = block.four(isa, 4 + 8 * block.span + 4 * (S % 2));
        if S < 2 {
            masked(isa, packed, 15)
        } else {
            shifted::<I, 4>(isa, packed)
        }
    }

    #[inline(always)]
    fn scales<I: Isa>(isa: I, block: Block<'_>, _: usize, out: &mut Scales) {
        scales_and_mins::<I, true>(isa, block, out);
    }
}
