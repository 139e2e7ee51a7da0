//! NVFP4: 64 weights in 36 bytes: four unsigned E4M3 scales for 16 weights each, then 4-bit floats.

use super::mxfp4::VALUES;
use super::{Block, QuantFormat, Scales, Shape, Tables, byte, looked_up};
use crate::isa::Isa;

pub(crate) struct Nvfp4;

impl QuantFormat for Nvfp4 {
    const NAME: &'static str = "nvfp4";
    const BLOCK_LEN: usize = 64;
    const BLOCK_BYTES: usize = 36;
    type Shape = Shape<16, 32, 0, 31, 16>;
    const PIECES: &'static [usize] = &[4, 20];
    const FIELDS: &'static [(usize, usize)] = &[(0, 4)];

    #[inline(always)]
    fn codes<I: Isa, const S: usize>(isa: I, block: Block<'_>, _: &Tables) -> [I::B64; 4] {
        // Each 16 lie in 8 bytes, low nibbles first, then high nibbles.
        let a = block.one(isa, 2 * S);
        let b = block.one(isa, 2 * S + 1);
        let low = isa.splat8(15);
        let spread = [
            isa.and(a, low),
            isa.and(b, low),
            isa.shr8::<4>(a),
            isa.shr8::<4>(b),
        ];
        looked_up(isa, &VALUES, spread)
    }

    #[inline(always)]
    fn scales<I: Isa>(isa: I, block: Block<'_>, first: usize, out: &mut Scales) {
        let four = block.words(isa, 0);
        for j in 0..4 {
            let scale = half_e4m3(isa, byte(isa, four, j));
            isa.store(scale, &mut out.ws[first + j]);
        }
    }
}

/// Unsigned E4M3 numbers (exponent bias 7), halved; 0x7f is read as zero, as ggml does.
#[inline(always)]
fn half_e4m3<I: Isa>(isa: I, x: I::I32) -> I::F32 {
    // In an f32's place, subnormal numbers too, only the bias is another: 127 - 7 + 1.
    let moved = isa.shl_i32::<20>(isa.and_i32(x, isa.splat_i32(0x7f)));
    let value = isa.mul(
        isa.as_f32(moved),
        isa.splat(f32::from_bits((119 + 127) << 23)),
    );
    let from_nan = isa.abs(isa.sub(isa.to_f32(x), isa.splat(127.0)));
    isa.keep_ge(from_nan, 0.5, value)
}
