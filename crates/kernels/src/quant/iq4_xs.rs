//! IQ4_XS: 256 weights in 136 bytes: IQ4_NL's steps, a 6-bit scale less 32 for each 32 weights.

use super::iq4_nl::STEPS;
use super::{MAX_GROUPS, QuantFormat, Shape, bytes_at, u16_at};
use crate::isa::Isa;

pub(crate) struct Iq4Xs;

impl QuantFormat for Iq4Xs {
    const NAME: &'static str = "iq4_xs";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 136;
    type Shape = Shape<32, 256, false, true>;
    const BIAS: u8 = 128;

    #[inline(always)]
    fn codes<I: Isa>(isa: I, unit: &[u8], chunk: usize) -> (I::B32, I::B32) {
        let at = 8 + 32 * chunk;
        let code = |at| isa.lookup16(&STEPS, isa.nibbles(bytes_at(unit, at)));
        (code(at), code(at + 16))
    }

    #[inline(always)]
    fn scales<I: Isa>(isa: I, unit: &[u8], ws: &mut [f32; MAX_GROUPS], _: &mut [f32; MAX_GROUPS]) {
        let d = isa.f16(u16_at(unit, 0));
        let high = u16_at(unit, 2);
        for g in 0..8 {
            let low = unit[4 + g / 2] >> (4 * (g % 2)) & 15;
            let scale = u16::from(low) | (high >> (2 * g) & 3) << 4;
            ws[g] = d * (f32::from(scale) - 32.0);
        }
    }
}
