//! TQ1_0: 256 ternary weights in 54 bytes, five to a byte in base 3: `w = d * (trit - 1)`.
//!
//! Byte runs of five trits serve 160 and 80 weights, the last four bytes hold four trits each (the layout
//! is told in `tensor::block::tq1_0`).

use super::{Block, QuantFormat, STEP, Scales, Shape, Tables, part};
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

    const WHOLE: bool = true;

    /// Without a trit: they are `(3 b - b') / 256` of a byte and the next, `b' = 3 b % 256`, so their products with
    /// activations follow from the sums of those of the bytes.
    #[inline(always)]
    fn whole<I: Isa>(
        isa: I,
        block: Block<'_>,
        _: &Tables,
        x: &[i32; STEP / 4],
        minus16: &[i32; 16],
    ) -> I::I32 {
        let last = isa.as_bytes(block.words(isa, 48));
        let mut bytes = [last; 5];
        for n in 1..5 {
            bytes[n] = triple(isa, bytes[n - 1]);
        }
        let ([a, b, c, d, e], x_last) = (bytes, part(x, 15));
        // Sums of their own, so that none waits for another.
        let (mut here, mut next) = ([isa.zero(); 3], [isa.zero(); 3]);
        here[0] = isa.dot::<255>(here[0], [a, b, c, d], x_last);
        next[0] = isa.dot::<255>(next[0], [b, c, d, e], x_last);
        for run in 0..3 {
            let mut bytes = block.four(isa, 4 * run);
            for n in 0..5 {
                let x = part(x, if run < 2 { 2 * n + run } else { 10 + n });
                here[run] = isa.dot::<255>(here[run], bytes, x);
                for byte in &mut bytes {
                    *byte = triple(isa, *byte);
                }
                next[run] = isa.dot::<255>(next[run], bytes, x);
            }
        }
        let here = isa.add_i32(here[0], isa.add_i32(here[1], here[2]));
        let next = isa.add_i32(next[0], isa.add_i32(next[1], next[2]));
        let thrice = isa.mul_i32(here, isa.splat_i32(3));
        let sum = isa.add_i32(thrice, isa.mul_i32(next, isa.splat_i32(-1)));
        let sum = isa.sar_i32::<8>(sum);
        // The bias of 1. Where a byte counts 128 less, it is in the sum already: three times 128 less once.
        if I::WIDE_IS_SIGNED {
            sum
        } else {
            isa.add_i32(sum, isa.splat_i32(minus16.iter().sum()))
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
        a = triple(isa, a);
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

/// Three times each byte, modulo 256.
#[inline(always)]
fn triple<I: Isa>(isa: I, a: I::B64) -> I::B64 {
    isa.add8(a, isa.add8(a, a))
}
