//! NVFP4: 64 weights in 36 bytes: four unsigned E4M3 scales for 16 weights each, then 4-bit floats.

use super::mxfp4::VALUES;
use super::{GroupScales, QuantFormat, Shape, Units, bytes_at};
use crate::isa::Isa;

pub(crate) struct Nvfp4;

/// Codes of the `i`-th 32 weights: each 16 lie in 8 bytes, low nibbles first, then high nibbles.
#[inline(always)]
fn codes32<I: Isa>(isa: I, unit: &[u8], i: usize) -> I::B32 {
    let packed: &[u8; 16] = bytes_at(unit, 16 * i + 4);
    let mut spread = [0; 32];
    for j in 0..8 {
        spread[j] = packed[j] & 15;
        spread[j + 8] = packed[j] >> 4;
        spread[j + 16] = packed[j + 8] & 15;
        spread[j + 24] = packed[j + 8] >> 4;
    }
    isa.lookup16(&VALUES, isa.load32(&spread))
}

impl QuantFormat for Nvfp4 {
    const NAME: &'static str = "nvfp4";
    const BLOCK_LEN: usize = 64;
    const BLOCK_BYTES: usize = 36;
    type Shape = Shape<16, 32, false, false>;
    const BIAS: u8 = 16;

    #[inline(always)]
    fn codes<I: Isa>(isa: I, unit: &[u8], chunk: usize) -> (I::B32, I::B32) {
        (
            codes32(isa, unit, 2 * chunk),
            codes32(isa, unit, 2 * chunk + 1),
        )
    }

    #[inline(always)]
    fn scales<I: Isa>(_: I, units: &Units<'_>, ws: &mut GroupScales, _: &mut GroupScales) {
        units.each_row::<4>(Self::UNIT_BYTES, ws, |unit| {
            bytes_at::<4>(unit, 0).map(half_e4m3)
        });
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
