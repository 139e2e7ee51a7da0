//! Q2_K: 256 weights in 84 bytes; each 16 have a 4-bit scale and minimum: `w = d*sc * q - dmin*m`.
//!
//! `sc * q` is at most 45: codes are that product, looked up among the four there are, so one float
//! scale serves all 256.

use super::q4_k::store_pairs;
use super::{Block, QuantFormat, STEP, Scales, Shape, Tables, byte, masked, part, shifted};
use crate::isa::Isa;

pub(crate) struct Q2K;

/// Two-bit codes `16 * S ..` of a half block whose 64 bytes begin at column `first`: each half of a block has 32 bytes
/// whose bit pairs 0..4 are 32 weights each.
#[inline(always)]
pub(super) fn bit_pairs<I: Isa, const S: usize>(
    isa: I,
    block: Block<'_>,
    first: usize,
) -> [I::B64; 4] {
    let packed = block.four(isa, first + 8 * block.span + 4 * (S % 2));
    let moved = match S / 2 {
        0 => packed,
        1 => shifted::<I, 2>(isa, packed),
        2 => shifted::<I, 4>(isa, packed),
        _ => return shifted::<I, 6>(isa, packed),
    };
    masked(isa, moved, 3)
}

/// A row's own `tables[a]` of four vectors of bit pairs.
#[inline(always)]
pub(super) fn own<I: Isa>(isa: I, tables: I::I32, [a, b, c, d]: [I::B64; 4]) -> [I::B64; 4] {
    [
        isa.lookup4(tables, a),
        isa.lookup4(tables, b),
        isa.lookup4(tables, c),
        isa.lookup4(tables, d),
    ]
}

/// `Σ pair·q` of sixteen weights: bit pair `P` of each byte.
///
/// Pairs are multiplied where they lie, and the sum shifted, which is exact; the highest would be too large.
#[inline(always)]
pub(super) fn pair_sums<I: Isa, const P: u32>(isa: I, four: [I::B64; 4], x: &[i32; 4]) -> I::I32 {
    let zero = isa.zero();
    match P {
        0 => isa.dot::<15>(zero, masked(isa, four, 3), x),
        1 => isa.sar_i32::<2>(isa.dot::<15>(zero, masked(isa, four, 0x0c), x)),
        2 => isa.sar_i32::<4>(isa.dot::<63>(zero, masked(isa, four, 0x30), x)),
        _ => isa.dot::<15>(zero, shifted::<I, 6>(isa, four), x),
    }
}

impl QuantFormat for Q2K {
    const NAME: &'static str = "q2_k";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 84;
    type Shape = Shape<256, 256, 16, 63, 0>;
    const SPAN: usize = 128;
    const PIECES: &'static [usize] = &[0, 16, 32, 48, 64];
    const FIELDS: &'static [(usize, usize)] = &[(80, 4)];

    #[inline(always)]
    fn codes<I: Isa, const S: usize>(isa: I, block: Block<'_>, tables: &Tables) -> [I::B64; 4] {
        let pairs = bit_pairs::<I, S>(isa, block, 4);
        let sc = isa.load_i32(&tables[8 * block.span + S]);
        own(isa, isa.mul_i32(sc, isa.splat_i32(0x0302_0100)), pairs)
    }

    const WHOLE: bool = true;
    const WHOLE_ASKS: bool = true;

    #[inline(always)]
    fn whole<I: Isa>(
        isa: I,
        block: Block<'_>,
        tables: &Tables,
        x: &[i32; STEP / 4],
        _: &[i32; 16],
    ) -> I::I32 {
        let mut sum = isa.zero();
        for half in 0..2 {
            let (a, b) = (block.four(isa, 4 + 8 * half), block.four(isa, 8 + 8 * half));
            macro_rules! add {
                ($s:literal) => {
                    block.ask(isa, Self::BLOCK_BYTES, 8 * half + $s, 16);
                    let four = if $s % 2 == 0 { a } else { b };
                    let pairs = pair_sums::<I, { $s / 2 }>(isa, four, part(x, 8 * half + $s));
                    let sc = isa.load_i32(&tables[8 * half + $s]);
                    sum = isa.add_i32(sum, isa.mul_i32(pairs, sc));
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
        let both = block.words(isa, 80);
        isa.store(isa.low_f16(both), &mut out.ws[0]);
        let dmin = isa.sub(isa.splat(0.0), isa.high_f16(both));
        isa.store(dmin, &mut out.wm[0]);
        // All before any is stored, so that they are made once.
        for (i, packed) in block.four_words(isa, 0).into_iter().enumerate() {
            let m = isa.and_i32(isa.shr_i32::<4>(packed), isa.splat_i32(0x0f0f_0f0f));
            store_pairs(isa, m, out, 2 * i);
            for j in 0..4 {
                let sc = isa.and_i32(byte(isa, packed, j), isa.splat_i32(15));
                isa.store_i32(sc, &mut out.tables[4 * i + j]);
            }
        }
    }
}
