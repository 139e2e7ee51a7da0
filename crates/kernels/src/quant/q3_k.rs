//! Q3_K: 256 weights in 110 bytes; each 16 have a 6-bit scale less 32: `w = d * (sc - 32) * (q - 4)`.
//!
//! `(sc - 32) * (q - 4)` lies in -124..=128: codes are that product + 124, from two tables, one for the low
//! pair of bits and one for the third bit, so one float scale serves all 256. The third bits are at 0
//! (bit `S / 2` of 32 bytes), the low pairs at 32, scales at 96.

use super::q2_k::{bit_pairs, own};
use super::q5_k::bits_at;
use super::{Block, QuantFormat, Scales, Shape, Tables, byte};
use crate::isa::Isa;

pub(crate) struct Q3K;

impl QuantFormat for Q3K {
    const NAME: &'static str = "q3_k";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 110;
    type Shape = Shape<256, 256, 0, 255, 124>;
    const SPAN: usize = 128;
    const PIECES: &'static [usize] = &[0, 16, 32, 48, 64, 80];

    #[inline(always)]
    fn codes<I: Isa, const S: usize>(isa: I, block: Block<'_>, tables: &Tables) -> [I::B64; 4] {
        let low = own(
            isa,
            isa.load_i32(&tables[8 * block.span + S]),
            bit_pairs::<I, S>(isa, block, 8),
        );
        let third = bits_at(isa, block.four(isa, 4 * (S % 2)), 4 * block.span + S / 2);
        let [e, f, g, h] = own(isa, isa.load_i32(&tables[16 + 8 * block.span + S]), third);
        let [a, b, c, d] = low;
        [
            isa.add8(a, e),
            isa.add8(b, f),
            isa.add8(c, g),
            isa.add8(d, h),
        ]
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
                // The scale, in bytes that wrap: 0, 1, 2, 3 times it, less four times it, plus the bias.
                let sc = isa.mul_i32(byte(isa, four, j), isa.splat_i32(0x0101_0101));
                let sc = isa.sub8(isa.as_bytes(sc), isa.splat8(32));
                let odd = isa.and(sc, isa.as_bytes(isa.splat_i32(0xff00_ff00_u32 as i32)));
                let twice = isa.and(
                    isa.shl8::<1>(sc),
                    isa.as_bytes(isa.splat_i32(0xffff_0000_u32 as i32)),
                );
                let fourfold = isa.shl8::<2>(sc);
                let lowest = isa.sub8(isa.splat8(124), fourfold);
                let products = isa.add8(lowest, isa.add8(odd, twice));
                let third = isa.and(fourfold, isa.as_bytes(isa.splat_i32(0xff00)));
                isa.store_i32(isa.as_words(products), &mut out.tables[4 * i + j]);
                isa.store_i32(isa.as_words(third), &mut out.tables[16 + 4 * i + j]);
            }
        }
    }
}
