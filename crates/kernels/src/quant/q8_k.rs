//! Q8_K: 256 weights in 292 bytes, `w = d * q` with f32 `d` and int8 `q`; codes are `q + 128`.
//!
//! ggml keeps activations in it; the sums after the codes are not needed for weights.

use super::{MAX_GROUPS, QuantFormat, Shape, bytes_at, u32_at};
use crate::isa::Isa;

pub(crate) struct Q8K;

impl QuantFormat for Q8K {
    const NAME: &'static str = "q8_k";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 292;
    type Shape = Shape<32, 256, false, true>;
    const BIAS: u8 = 128;

    #[inline(always)]
    fn codes<I: Isa>(isa: I, unit: &[u8], chunk: usize) -> (I::B32, I::B32) {
        let code = |at| isa.xor(isa.load32(bytes_at(unit, at)), isa.splat8(128));
        (code(4 + 64 * chunk), code(36 + 64 * chunk))
    }

    #[inline(always)]
    fn scales<I: Isa>(_: I, unit: &[u8], ws: &mut [f32; MAX_GROUPS], _: &mut [f32; MAX_GROUPS]) {
        ws[..8].fill(f32::from_bits(u32_at(unit, 0)));
    }
}
