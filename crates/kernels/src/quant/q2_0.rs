//! Q2_0: 64 weights in 18 bytes, `w = d * (q - 1)`; four neighbours share a byte, lowest bits first.

use super::{Block, QuantFormat, Shape, Tables, byte, f16_scales};
use crate::isa::Isa;

pub(crate) struct Q2_0;

impl QuantFormat for Q2_0 {
    const NAME: &'static str = "q2_0";
    const BLOCK_LEN: usize = 64;
    const BLOCK_BYTES: usize = 18;
    type Shape = Shape<32, 32, 0, 15, 1>;
    const CHEAP: bool = false;
    const PIECES: &'static [usize] = &[2];
    const FIELDS: &'static [(usize, usize)] = &[(0, 2)];

    #[inline(always)]
    fn codes<I: Isa, const S: usize>(isa: I, block: Block<'_>, _: &Tables) -> [I::B64; 4] {
        let packed = block.column(isa, S);
        [
            spread(isa, byte(isa, packed, 0)),
            spread(isa, byte(isa, packed, 1)),
            spread(isa, byte(isa, packed, 2)),
            spread(isa, byte(isa, packed, 3)),
        ]
    }

    f16_scales!();
}

/// The four bit pairs of a byte, one in each byte.
#[inline(always)]
fn spread<I: Isa>(isa: I, a: I::I32) -> I::B64 {
    let low = isa.or_i32(a, isa.shl_i32::<6>(a));
    let high = isa.or_i32(isa.shl_i32::<12>(a), isa.shl_i32::<18>(a));
    isa.and(isa.as_bytes(isa.or_i32(low, high)), isa.splat8(3))
}
