//! NVFP4: 64 weights in 36 bytes: four unsigned E4M3 scales for 16 weights each, then 4-bit floats.

use super::mxfp4::VALUES;
use super::{Block, QuantFormat, Scales, Shape, Tables, looked_up};
use crate::isa::Isa;

pub(crate) struct Nvfp4;

impl QuantFormat for Nvfp4 {
    const NAME: &'static str = "nvfp4";
    const BLOCK_LEN: usize = 64;
    const BLOCK_BYTES: usize = 36;
    type Shape = Shape<16, 32, 0, 31, 16>;
    const CHEAP: bool = false;
    const PIECES: &'static [usize] = &[4, 20];

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
    fn scales<I: Isa>(_: I, block: Block<'_>, first: usize, out: &mut Scales) {
        block.each_row(0, &mut out.ws[first..], |scales: &[u8; 4]| {
            let [a, b, c, d] = *scales;
            [half_e4m3(a), half_e4m3(b), half_e4m3(c), half_e4m3(d)]
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
