//! Q8_K: 256 weights in 292 bytes, `w = d * q` with f32 `d` and int8 `q`; codes are `q + 128`.
//!
//! ggml keeps activations in it; the sums after the codes are not needed for weights.

use super::{GroupScales, QuantFormat, Shape, Units, bytes_at, u32_at};
use crate::isa::Isa;

pub(crate) struct Q8K;

/// Codes of 32 weights, the `i`-th 32 of a unit.
#[inline(always)]
fn codes32<I: Isa>(isa: I, unit: &[u8], i: usize) -> I::B32 {
    isa.xor(isa.load32(bytes_at(unit, 32 * i + 4)), isa.splat8(128))
}

impl QuantFormat for Q8K {
    const NAME: &'static str = "q8_k";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 292;
    type Shape = Shape<32, 256, false, true>;
    const BIAS: u8 = 128;

    #[inline(always)]
    fn codes<I: Isa>(isa: I, unit: &[u8], chunk: usize) -> (I::B32, I::B32) {
        (
            codes32(isa, unit, 2 * chunk),
            codes32(isa, unit, 2 * chunk + 1),
        )
    }

    #[inline(always)]
    fn scales<I: Isa>(_: I, units: &Units<'_>, ws: &mut GroupScales, _: &mut GroupScales) {
        units.each_row::<8>(Self::UNIT_BYTES, ws, |unit| {
            [f32::from_bits(u32_at(unit, 0)); 8]
        });
    }
}
