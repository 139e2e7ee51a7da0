//! Q3_K: 256 weights in 110 bytes; each 16 have a 6-bit scale less 32: `w = d * (sc - 32) * (q - 4)`.
//!
//! `(sc - 32) * (q - 4)` lies in -124..=128: codes are that product + 124, from two tables, one for the low
//! pair of bits and one for the third bit, so one float scale serves all 256. The third bits are at 0
//! (bit `S / 2` of 32 bytes), the low pairs at 32, scales at 96.

use super::q2_k::{bit_pairs, own, pair_sums};
use super::q5_k::bits_at;
use super::{Block, QuantFormat, STEP, Scales, Shape, Tables, byte, masked, part};
use crate::isa::Isa;

pub(crate) struct Q3K;

/// Codes by the low pair, and what the third bit adds, for a scale + 32: in bytes that wrap, 0, 1, 2, 3 times the
/// scale, less four times it, plus the bias.
#[inline(always)]
fn products<I: Isa>(isa: I, sc: I::I32) -> [I::I32; 2] {
    let sc = isa.mul_i32(sc, isa.splat_i32(0x0101_0101));
    let sc = isa.sub8(isa.as_bytes(sc), isa.splat8(32));
    let odd = isa.and(sc, isa.as_bytes(isa.splat_i32(0xff00_ff00_u32 as i32)));
    let twice = isa.and(
        isa.shl8::<1>(sc),
        isa.as_bytes(isa.splat_i32(0xffff_0000_u32 as i32)),
    );
    let fourfold = isa.shl8::<2>(sc);
    let lowest = isa.sub8(isa.splat8(124), fourfold);
    let low = isa.add8(lowest, isa.add8(odd, twice));
    let third = isa.and(fourfold, isa.as_bytes(isa.splat_i32(0xff00)));
    [isa.as_words(low), isa.as_words(third)]
}

/// `4 · Σ third·q` of sixteen weights, the third bit being bit `P` of each byte; multiplied where it lies,
/// as pairs are.
#[inline(always)]
fn third_sums<I: Isa, const P: u32>(isa: I, four: [I::B64; 4], x: &[i32; 4]) -> I::I32 {
    let sum = isa.dot::<15>(isa.zero(), masked(isa, four, 1 << P), x);
    match P {
        0 => isa.shl_i32::<2>(sum),
        1 => isa.shl_i32::<1>(sum),
        2 => sum,
        _ => isa.sar_i32::<1>(sum),
    }
}

impl QuantFormat for Q3K {
    const NAME: &'static str = "q3_k";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 110;
    type Shape = Shape<256, 256, 0, 255, 124>;
    const SPAN: usize = 128;
    const WHOLE: bool = true;
    const PIECES: &'static [usize] = &[0, 16, 32, 48, 64, 80];
    const FIELDS: &'static [(usize, usize)] = &[(96, 4), (100, 4), (104, 4), (108, 2)];

    #[inline(always)]
    fn codes<I: Isa, const S: usize>(isa: I, block: Block<'_>, tables: &Tables) -> [I::B64; 4] {
        let [low, third] = products(isa, isa.load_i32(&tables[8 * block.span + S]));
        let [a, b, c, d] = own(isa, low, bit_pairs::<I, S>(isa, block, 8));
        let bits = bits_at(isa, block.four(isa, 4 * (S % 2)), 4 * block.span + S / 2);
        let [e, f, g, h] = own(isa, third, bits);
        [
            isa.add8(a, e),
            isa.add8(b, f),
            isa.add8(c, g),
            isa.add8(d, h),
        ]
    }

    #[inline(always)]
    fn whole<I: Isa>(
        isa: I,
        block: Block<'_>,
        tables: &Tables,
        x: &[i32; STEP / 4],
        minus16: &[i32; 16],
    ) -> I::I32 {
        let mut sum = isa.zero();
        for half in 0..2 {
            let (a, b) = (
                block.four(isa, 8 + 8 * half),
                block.four(isa, 12 + 8 * half),
            );
            let (mut e, mut f) = (block.four(isa, 0), block.four(isa, 4));
            for i in 0..4 {
                e[i] = isa.shr_words(e[i], 4 * half as u32);
                f[i] = isa.shr_words(f[i], 4 * half as u32);
            }
            macro_rules! add {
                ($s:literal) => {
                    let (low, high) = if $s % 2 == 0 { (a, e) } else { (b, f) };
                    let x = part(x, 8 * half + $s);
                    let low = pair_sums::<I, { $s / 2 }>(isa, low, x);
                    let third = third_sums::<I, { $s / 2 }>(isa, high, x);
                    // Less four.
                    let least = isa.splat_i32(4 * minus16[8 * half + $s]);
                    let all = isa.add_i32(isa.add_i32(low, third), least);
                    let sc = isa.add_i32(isa.load_i32(&tables[8 * half + $s]), isa.splat_i32(-32));
                    sum = isa.add_i32(sum, isa.mul_i32(all, sc));
                };
            }
            add!(0);
            add!(1);
            add!(2);
            add!(3);
            add!(4);
            add!(5);
            add!(6);
            add!(7);
        }
        sum
    }

    #[inline(always)]
    fn scales<I: Isa>(isa: I, block: Block<'_>, _: usize, out: &mut Scales) {
        isa.store(block.halves(isa, 108), &mut out.ws[0]);
        let low = [block.words(isa, 96), block.words(isa, 100)];
        let high = block.words(isa, 104);
        for i in 0..4 {
            // Four scales, one in each byte.
            let nibbles = if i < 2 {
                low[i]
            } else {
                isa.shr_i32::<4>(low[i - 2])
            };
            let pairs = match i {
                0 => isa.shl_i32::<4>(high),
                1 => isa.shl_i32::<2>(high),
                2 => high,
                _ => isa.shr_i32::<2>(high),
            };
            let nibbles = isa.and_i32(nibbles, isa.splat_i32(0x0f0f_0f0f));
            let pairs = isa.and_i32(pairs, isa.splat_i32(0x3030_3030));
            let four = isa.or_i32(nibbles, pairs);
            for j in 0..4 {
                isa.store_i32(byte(isa, four, j), &mut out.tables[4 * i + j]);
            }
        }
    }
}
