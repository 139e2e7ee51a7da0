//! Q1_0: 128 weights in 18 bytes, `w = d` or `-d` by one bit each; codes are 2 or 0.

use super::{Block, QuantFormat, Shape, Tables, f16_scales};
use crate::isa::Isa;

pub(crate) struct Q1_0;

impl QuantFormat for Q1_0 {
    const NAME: &'static str = "q1_0";
    const BLOCK_LEN: usize = 128;
    const BLOCK_BYTES: usize = 18;
    type Shape = Shape<32, 32, 0, 15, 1>;
    const CHEAP: bool = false;
    const PIECES: &'static [usize] = &[2];
    const FIELDS: &'static [(usize, usize)] = &[(0, 2)];

    #[inline(always)]
    fn codes<I: Isa, const S: usize>(isa: I, block: Block<'_>, _: &Tables) -> [I::B64; 4] {
        let bits = block.column(isa, S / 2);
        let bits = if S % 2 == 1 {
            isa.shr_i32::<16>(bits)
        } else {
            bits
        };
        let two = isa.splat8(2);
        [
            isa.and(isa.mask4(bits), two),
            isa.and(isa.mask4(isa.shr_i32::<4>(bits)), two),
            isa.and(isa.mask4(isa.shr_i32::<8>(bits)), two),
            isa.and(isa.mask4(isa.shr_i32::<12>(bits)), two),
        ]
    }

    f16_scales!();
}
