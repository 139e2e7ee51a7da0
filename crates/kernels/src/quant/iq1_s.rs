//! IQ1_S: 256 weights in 50 bytes: patterns of 8 ternary weights by 11-bit indices, shifted by ±1/8; a
//! 3-bit scale for 32: `w = d * (2 sc + 1) * (pattern ± 1/8)`. Codes are 8 times the bracket, + 16,
//! and the scale is divided by 8: both exact.

use super::{Block, QuantFormat, Scales, Shape, Tables, codebook};
use crate::isa::Isa;

pub(crate) struct Iq1S;

/// `a << N`, of which `mask`.
#[inline(always)]
pub(super) fn part<I: Isa, const N: u32>(isa: I, a: I::I32, mask: i32) -> I::I32 {
    isa.and_i32(isa.shl_i32::<N>(a), isa.splat_i32(mask))
}

/// What goes with 32 weights: bits 8 to 10 of their indices, moved to four bytes from bits `3k` of the lower half of a
/// lane, and its bit 15 everywhere.
#[inline(always)]
fn more<I: Isa>(isa: I, qh: I::I32) -> [I::I32; 2] {
    let high = isa.or_i32(
        isa.or_i32(part::<I, 0>(isa, qh, 7), part::<I, 5>(isa, qh, 0x700)),
        isa.or_i32(
            part::<I, 10>(isa, qh, 0x7_0000),
            part::<I, 15>(isa, qh, 0x700_0000),
        ),
    );
    [high, isa.sar_i32::<31>(isa.shl_i32::<16>(qh))]
}

/// 64 codes of each row in four sixteens.
#[inline(always)]
pub(super) fn four<B: Copy>([a, b]: [[B; 8]; 2]) -> [[B; 4]; 4] {
    [
        [a[0], a[1], a[2], a[3]],
        [a[4], a[5], a[6], a[7]],
        [b[0], b[1], b[2], b[3]],
        [b[4], b[5], b[6], b[7]],
    ]
}

impl QuantFormat for Iq1S {
    const NAME: &'static str = "iq1_s";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 50;
    type Shape = Shape<32, 256, 0, 31, 16>;
    const CHEAP: bool = false;
    const BOOK: bool = true;
    const TOGETHER: usize = 4;
    const STORE_COLUMNS: bool = true;
    const SPAN: usize = 64;
    const PIECES: &'static [usize] = &[2, 18, 34];
    const FIELDS: &'static [(usize, usize)] = &[(0, 2)];

    #[inline(always)]
    fn together<I: Isa>(isa: I, block: Block<'_>, _: &Tables) -> [[I::B64; 4]; 4] {
        let qh = block.column(isa, 8 + block.span);
        let qs = [
            block.column(isa, 2 * block.span),
            block.column(isa, 2 * block.span + 1),
        ];
        let ([a, s], [b, t]) = (more(isa, qh), more(isa, isa.shr_i32::<16>(qh)));
        four(isa.eights_twice(&codebook::IQ1, qs, [a, b], [s, t]))
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
            // `d * (2 sc + 1)`, for any finite `d` rounded once either way.
            isa.store(isa.mul_add(sc, isa.add(d, d), d), &mut out.ws[g]);
        }
    }
}
