//! MXFP4: 32 weights in 17 bytes: an E8M0 scale and 4-bit floats (OCP Microscaling Formats 1.0).
//!
//! The 16 values are doubled to be whole numbers, so the scale is halved; codes are the value + 16.

use super::{Block, QuantFormat, Scales, Shape, Tables, byte, looked_up};
use crate::isa::Isa;

pub(crate) struct Mxfp4;

/// The 16 values of E2M1, doubled, each + 16.
pub(super) const VALUES: [u8; 16] = [16, 17, 18, 19, 20, 22, 24, 28, 16, 15, 14, 13, 12, 10, 8, 4];

impl QuantFormat for Mxfp4 {
    const NAME: &'static str = "mxfp4";
    const BLOCK_LEN: usize = 32;
    const BLOCK_BYTES: usize = 17;
    type Shape = Shape<32, 32, 0, 31, 16>;
    const STORE_COLUMNS: bool = true;
    const PIECES: &'static [usize] = &[1];
    const IN_ORDER: bool = true;
    const FIELDS: &'static [(usize, usize)] = &[(0, 1)];

    #[inline(always)]
    fn codes<I: Isa, const S: usize>(isa: I, block: Block<'_>, _: &Tables) -> [I::B64; 4] {
        looked_up(isa, &VALUES, block.nibbles(isa, 0, S == 1))
    }

    #[inline(always)]
    fn scales<I: Isa>(isa: I, block: Block<'_>, first: usize, out: &mut Scales) {
        let e = byte(isa, block.low_bytes(isa, 0), 0);
        isa.store(half_power_of_two(isa, e), &mut out.ws[first]);
    }
}

/// `2^(e - 128)`, an E8M0 number halved, as a product of two powers: neither is subnormal, as the product may be.
#[inline(always)]
fn half_power_of_two<I: Isa>(isa: I, e: I::I32) -> I::F32 {
    let half = isa.shr_i32::<1>(e);
    // 2^(half - 63), and for what is left of e 2^(rest - 65): all ones added are minus one.
    let minus = isa.xor_i32(half, isa.splat_i32(-1));
    let rest = isa.add_i32(isa.add_i32(e, minus), isa.splat_i32(1 + 62));
    let half = isa.add_i32(half, isa.splat_i32(64));
    isa.mul(
        isa.as_f32(isa.shl_i32::<23>(half)),
        isa.as_f32(isa.shl_i32::<23>(rest)),
    )
}
