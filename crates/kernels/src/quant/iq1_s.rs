//! IQ1_S: 256 weights in 50 bytes: patterns of 8 ternary weights by 11-bit indices, shifted by ±1/8; a
//! 3-bit scale for 32: `w = d * (2 sc + 1) * (pattern ± 1/8)`. Codes are 8 times the bracket, + 16,
//! and the scale is divided by 8: both exact.

use tensor::grid;

use super::{Block, QuantFormat, Scales, Shape, Tables, byte};
use crate::isa::Isa;

pub(crate) struct Iq1S;

/// `8 * pattern + shift + 16`; the shift is -1 where `minus` is set, else +1.
#[inline(always)]
pub(super) fn shifted_code<I: Isa>(isa: I, pattern: I::B64, minus: I::B64) -> I::B64 {
    // Patterns are -1, 0, 1: make them 0, 8, 16 before the shift so that bytes never borrow.
    let eights = isa.shl8::<3>(isa.add8(pattern, isa.splat8(1)));
    let shift = isa.or(minus, isa.splat8(1));
    isa.add8(isa.add8(eights, isa.splat8(8)), shift)
}

impl QuantFormat for Iq1S {
    const NAME: &'static str = "iq1_s";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 50;
    type Shape = Shape<32, 256, 0, 31, 16>;
    const CHEAP: bool = false;
    const PIECES: &'static [usize] = &[2, 18, 34];

    #[inline(always)]
    fn codes<I: Isa, const S: usize>(isa: I, block: Block<'_>, _: &Tables) -> [I::B64; 4] {
        let qs = block.column(isa, S / 2);
        let qh = block.column(isa, 8 + S / 4);
        let qh = if S / 2 % 2 == 1 {
            isa.shr_i32::<16>(qh)
        } else {
            qh
        };
        // Bits 8 to 10 of the index, moved there from bits 3k.
        let (third, fourth) = if S.is_multiple_of(2) {
            (isa.shl_i32::<8>(qh), isa.shl_i32::<5>(qh))
        } else {
            (isa.shl_i32::<2>(qh), isa.shr_i32::<1>(qh))
        };
        let top = isa.splat_i32(0x700);
        let first = isa.or_i32(byte(isa, qs, 2 * (S % 2)), isa.and_i32(third, top));
        let second = isa.or_i32(byte(isa, qs, 2 * (S % 2) + 1), isa.and_i32(fourth, top));
        // The top bit of the 16, in every byte.
        let minus = isa.as_bytes(isa.sar_i32::<31>(isa.shl_i32::<16>(qh)));
        let [a, b] = isa.gather8(&grid::IQ1, first);
        let [c, d] = isa.gather8(&grid::IQ1, second);
        [
            shifted_code(isa, a, minus),
            shifted_code(isa, b, minus),
            shifted_code(isa, c, minus),
            shifted_code(isa, d, minus),
        ]
    }

    #[inline(always)]
    fn scales<I: Isa>(isa: I, block: Block<'_>, _: usize, out: &mut Scales) {
        let d = isa.mul(block.halves(isa, 0), isa.splat(0.125));
        for g in 0..8 {
            let both = block.column(isa, 8 + g / 2);
            let sc = if g % 2 == 1 {
                isa.shr_i32::<28>(both)
            } else {
                isa.shr_i32::<12>(both)
            };
            let sc = isa.to_f32(isa.and_i32(sc, isa.splat_i32(7)));
            let odd = isa.mul_add(sc, isa.splat(2.0), isa.splat(1.0));
            isa.store(isa.mul(d, odd), &mut out.ws[g]);
        }
    }
}
