//! NVFP4: 64 weights in 36 bytes: four unsigned E4M3 scales for 16 weights each, then 4-bit floats.

use super::mxfp4::VALUES;
use super::{MAX_GROUPS, QuantFormat, Shape, bytes_at};
use crate::isa::Isa;

pub(crate) struct Nvfp4;

impl QuantFormat for Nvfp4 {
    const NAME: &'static str = "nvfp4";
    const BLOCK_LEN: usize = 64;
    const BLOCK_BYTES: usize = 36;
    type Shape = Shape<16, 32, false, false>;
    const BIAS: u8 = 16;

    #[inline(always)]
    fn codes<I: Isa>(isa: I, unit: &[u8], _chunk: usize) -> (I::B32, I::B32) {
        // Sub-block s keeps its 16 weights in 8 bytes: low nibbles first, then high nibbles.
        let code = |at| {
            let packed: &[u8; 16] = bytes_at(unit, at);
            let mut spread = [0; 32];
            for i in 0..8 {
                spread[i] = packed[i] & 15;
                spread[i + 8] = packed[i] >> 4;
                spread[i + 16] = packed[i + 8] & 15;
                spread[i + 24] = packed[i + 8] >> 4;
            }
            isa.lookup16(&VALUES, isa.load32(&spread))
        };
        (code(4), code(20))
    }

    #[inline(always)]
    fn scales<I: Isa>(_: I, unit: &[u8], ws: &mut [f32; MAX_GROUPS], _: &mut [f32; MAX_GROUPS]) {
        for g in 0..4 {
            ws[g] = half_e4m3(unit[g]);
        }
    }
}

/// An unsigned E4M3 number (exponent bias 7), halved; 0x7f is read as zero, as ggml does.
#[inline(always)]
fn half_e4m3(x: u8) -> f32 {
    let (exponent, mantissa) = (u32::from(x >> 3 & 15), f32::from(x & 7));
    if x == 0x7f {
        0.0
    } else if exponent == 0 {
        mantissa * (1.0 / 1024.0)
    } else {
        (1.0 + mantissa / 8.0) * f32::from_bits((exponent + 119) << 23)
    }
}
