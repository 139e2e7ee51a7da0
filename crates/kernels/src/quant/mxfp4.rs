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
    type Shape = Shape<32, 32, 0, 31, 16>;
    const STORE_COLUMNS: bool = true;
    const PIECES: &'static [usize] = &[1];

    #[inline(always)]
    fn codes<I: Isa, const S: usize>(isa: I, block: Block<'_>, _: &Tables) -> [I::B64; 4] {
        looked_up(isa, &VALUES, block.nibbles(isa, 0, S == 1))
    }

    #[inline(always)]
    fn scales<I: Isa>(isa: I, block: Block<'_>, first: usize, out: &mut Scales) {
        let scales = isa.gather4(&HALF_POWERS_OF_TWO, block.words(isa, 0));
        isa.store(isa.as_f32(isa.as_words(scales)), &mut out.ws[first]);
    }
}

/// Bits of `2^(e - 128)`: an E8M0 exponent, halved; the two lowest are subnormal.
static HALF_POWERS_OF_TWO: [[i8; 4]; 256] = {
    let mut table = [[0; 4]; 256];
    let mut e = 0;
    while e < 256 {
        let bits: u32 = match e {
            0 | 1 => 0x0020_0000 << e,
            _ => (e as u32 - 1) << 23,
        };
        let [a, b, c, d] = bits.to_le_bytes();
        table[e] = [a as i8, b as i8, c as i8, d as i8];
        e += 1;
    }
    table
};
