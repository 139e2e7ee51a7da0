//! Q5_0: 32 weights in 22 bytes, `w = d * (q - 16)`; the fifth bits are a 32-bit mask at byte 2.

use super::{Block, QuantFormat, Shape, Tables, f16_scales};
use crate::isa::Isa;

pub(crate) struct Q5_0;

/// Codes `16 * S ..` of a block whose fifth bits are `high`.
#[inline(always)]
pub(super) fn five_bits<I: Isa, const S: usize>(
    isa: I,
    block: Block<'_>,
    high: I::I32,
) -> [I::B64; 4] {
    let [a, b, c, d] = block.nibbles(isa, 0, S == 1);
    let high = if S == 1 {
        isa.shr_i32::<16>(high)
    } else {
        high
    };
    let sixteen = isa.splat8(16);
    [
        isa.or(a, isa.and(isa.mask4(high), sixteen)),
        isa.or(b, isa.and(isa.mask4(isa.shr_i32::<4>(high)), sixteen)),
        isa.or(c, isa.and(isa.mask4(isa.shr_i32::<8>(high)), sixteen)),
        isa.or(d, isa.and(isa.mask4(isa.shr_i32::<12>(high)), sixteen)),
    ]
}

impl QuantFormat for Q5_0 {
    const NAME: &'static str = "q5_0";
    const BLOCK_LEN: usize = 32;
    const BLOCK_BYTES: usize = 22;
    type Shape = Shape<32, 32, 0, 31, 16>;
    const PIECES: &'static [usize] = &[6];
    const IN_ORDER: bool = true;
    const FIELDS: &'static [(usize, usize)] = &[(0, 2), (2, 4)];

    #[inline(always)]
    fn codes<I: Isa, const S: usize>(isa: I, block: Block<'_>, _: &Tables) -> [I::B64; 4] {
        five_bits::<I, S>(isa, block, block.words(isa, 2))
    }

    f16_scales!();
}
