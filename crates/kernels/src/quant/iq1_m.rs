//! IQ1_M: 256 weights in 56 bytes: IQ1_S's patterns with a shift for each 8 and a 3-bit scale for 16.

use tensor::{block, grid};

use super::iq1_s::shifted_code;
use super::{Block, QuantFormat, Scales, Shape, Tables, byte};
use crate::isa::Isa;

pub(crate) struct Iq1M;

impl QuantFormat for Iq1M {
    const NAME: &'static str = "iq1_m";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 56;
    type Shape = Shape<16, 256, 0, 31, 16>;
    const CHEAP: bool = false;
    const PIECES: &'static [usize] = &[0, 16, 32];

    #[inline(always)]
    fn codes<I: Isa, const S: usize>(isa: I, block: Block<'_>, _: &Tables) -> [I::B64; 4] {
        let qs = block.column(isa, S / 2);
        // Four patterns' high bits and shifts are the nibbles of a u16; two of them are ours.
        let nibbles = byte(isa, block.column(isa, 8 + S / 4), S % 4);
        let top = isa.splat_i32(0x700);
        let third = isa.and_i32(isa.shl_i32::<8>(nibbles), top);
        let fourth = isa.and_i32(isa.shl_i32::<4>(nibbles), top);
        let first = isa.or_i32(byte(isa, qs, 2 * (S % 2)), third);
        let second = isa.or_i32(byte(isa, qs, 2 * (S % 2) + 1), fourth);
        let s = isa.as_bytes(isa.sar_i32::<31>(isa.shl_i32::<28>(nibbles)));
        let t = isa.as_bytes(isa.sar_i32::<31>(isa.shl_i32::<24>(nibbles)));
        let [a, b] = isa.gather8(&grid::IQ1, first);
        let [c, d] = isa.gather8(&grid::IQ1, second);
        [
            shifted_code(isa, a, s),
            shifted_code(isa, b, s),
            shifted_code(isa, c, t),
            shifted_code(isa, d, t),
        ]
    }

    #[inline(always)]
    fn scales<I: Isa>(_: I, block: Block<'_>, _: usize, out: &mut Scales) {
        block.each_row(48, &mut out.ws, |packed: &[u8; 8]| {
            let d = block::iq1_m::scale(packed) * 0.125;
            std::array::from_fn::<_, 16, _>(|g| {
                d * f32::from(2 * block::iq1_m::group_scale(packed, g) + 1)
            })
        });
    }
}
