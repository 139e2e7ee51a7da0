//! TQ1_0: 256 ternary weights in 54 bytes, five to a byte in base 3: `w = d * (trit - 1)`.
//!
//! Byte runs of five trits serve 160 and 80 weights, the last four bytes hold four trits each (the layout
//! is told in `tensor::block::tq1_0`).

use super::{Block, QuantFormat, Scales, Shape, Tables};
use crate::isa::Isa;

pub(crate) struct Tq1_0;

impl QuantFormat for Tq1_0 {
    const NAME: &'static str = "tq1_0";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 54;
    type Shape = Shape<256, 256, 0, 15, 1>;
    const CHEAP: bool = false;
    const PIECES: &'static [usize] = &[0, 16, 32];
    const FIELDS: &'static [(usize, usize)] = &[(48, 4), (52, 2)];

    #[inline(always)]
    fn codes<I: Isa, const S: usize>(isa: I, block: Block<'_>, _: &Tables) -> [I::B64; 4] {
        if S == 15 {
            let last = isa.as_bytes(block.words(isa, 48));
            return [
                trit::<I, 0>(isa, last),
                trit::<I, 1>(isa, last),
                trit::<I, 2>(isa, last),
                trit::<I, 3>(isa, last),
            ];
        }
        let (first, n) = if S < 10 {
            (4 * (S % 2), S / 2)
        } else {
            (8, S - 10)
        };
        let packed = block.four(isa, first);
        match n {
            0 => trits::<I, 0>(isa, packed),
            1 => trits::<I, 1>(isa, packed),
            2 => trits::<I, 2>(isa, packed),
            3 => trits::<I, 3>(isa, packed),
            _ => trits::<I, 4>(isa, packed),
        }
    }

    #[inline(always)]
    fn scales<I: Isa>(isa: I, block: Block<'_>, _: usize, out: &mut Scales) {
        isa.store(block.halves(isa, 52), &mut out.ws[0]);
    }
}

#[inline(always)]
fn trits<I: Isa, const N: usize>(isa: I, [a, b, c, d]: [I::B64; 4]) -> [I::B64; 4] {
    [
        trit::<I, N>(isa, a),
        trit::<I, N>(isa, b),
        trit::<I, N>(isa, c),
        trit::<I, N>(isa, d),
    ]
}

/// Trit `N` of each byte: `(byte * 3^N % 256) * 3 / 256`.
#[inline(always)]
fn trit<I: Isa, const N: usize>(isa: I, mut a: I::B64) -> I::B64 {
    for _ in 0..N {
        a = isa.add8(a, isa.shl8::<1>(a));
    }
    // Three times a byte needs ten bits: even and odd bytes apart.
    let (words, even) = (isa.as_words(a), isa.splat_i32(0x00ff_00ff));
    let low = isa.and_i32(words, even);
    let high = isa.and_i32(isa.shr_i32::<8>(words), even);
    let low = isa.add_i32(low, isa.shl_i32::<1>(low));
    let high = isa.add_i32(high, isa.shl_i32::<1>(high));
    let odd = isa.splat_i32(0xff00_ff00_u32 as i32);
    let low = isa.and_i32(isa.shr_i32::<8>(low), even);
    isa.as_bytes(isa.or_i32(low, isa.and_i32(high, odd)))
}
