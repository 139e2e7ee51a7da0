//! MXFP4: 32 weights in 17 bytes: an E8M0 scale and 4-bit floats (OCP Microscaling Formats 1.0).
//!
//! The 16 values are doubled to be whole numbers, so the scale is halved; codes are the value + 16.

use super::{Block, QuantFormat, Scales, Shape, Tables, looked_up};
use crate::isa::Isa;

pub(crate) struct Mxfp4;

/// The 16 values of E2M1, doubled, each + 16.
pub(super) const VALUES: [u8; 16] = [16, 17, 18, 19, 20, 22, 24, 28, 16, 15, 14, 13, 12, 10, 8, 4];

impl QuantFormat for Mxfp4 {
    const NAME: &'static str = "mxfp4";
    const BLOCK_LEN: usize = 32;
    const BLOCK_BYTES: usize = 17;
    type Shape = Shape<32, 32, 0, 31>;
    const BIAS: u8 = 16;
    const PIECES: &'static [usize] = &[1];

    #[inline(always)]
    fn codes<I: Isa, const S: usize>(isa: I, block: Block<'_>, _: &Tables) -> [I::B64; 4] {
        looked_up(isa, &VALUES, block.nibbles(isa, 0, S == 1))
    }

    #[inline(always)]
    fn scales<I: Isa>(_: I, block: Block<'_>, first: usize, out: &mut Scales) {
        block.each_row(0, &mut out.ws[first..], |&[e]| [half_power_of_two(e)]);
    }
}

/// `2^(e - 128)`: an E8M0 exponent, halved; the two lowest are subnormal.
#[inline(always)]
fn half_power_of_two(e: u8) -> f32 {
    let bits = if e < 2 {
        0x0020_0000 << e
    } else {
        (u32::from(e) - 1) << 23
    };
    f32::from_bits(bits)
}
