//! TQ1_0: 256 ternary weights in 54 bytes, five to a byte in base 3: `w = d * (trit - 1)`.

use tensor::block;

use super::{GroupScales, QuantFormat, Shape, Units};
use crate::isa::Isa;

pub(crate) struct Tq1_0;

/// Codes of 32 weights, the `i`-th 32 of a unit. Byte runs of five trits serve 160 and 80 weights, the
/// last four bytes hold four trits each (the layout is told in `tensor::block::tq1_0`).
#[inline(always)]
fn codes32<I: Isa>(isa: I, unit: &[u8], i: usize) -> I::B32 {
    let mut codes = [0; 32];
    let (low, high) = codes.split_at_mut(16);
    match i {
        0..5 => {
            trits(low, &unit[..16], i);
            trits(high, &unit[16..32], i);
        }
        5 | 6 => {
            trits(low, &unit[32..48], 2 * i - 10);
            trits(high, &unit[32..48], 2 * i - 9);
        }
        _ => {
            trits(low, &unit[32..48], 4);
            for (n, four) in high.as_chunks_mut::<4>().0.iter_mut().enumerate() {
                trits(four, &unit[48..52], n);
            }
        }
    }
    isa.load32(&codes)
}

/// Trit `n` of each byte: a loop that compilers turn into vector code.
#[inline(always)]
fn trits(codes: &mut [u8], bytes: &[u8], n: usize) {
    for (code, &byte) in codes.iter_mut().zip(bytes) {
        *code = block::tq1_0::trit(byte, n);
    }
}

impl QuantFormat for Tq1_0 {
    const NAME: &'static str = "tq1_0";
    const BLOCK_LEN: usize = 256;
    const BLOCK_BYTES: usize = 54;
    type Shape = Shape<32, 256, false, false>;
    const BIAS: u8 = 1;

    #[inline(always)]
    fn codes<I: Isa>(isa: I, unit: &[u8], chunk: usize) -> (I::B32, I::B32) {
        (
            codes32(isa, unit, 2 * chunk),
            codes32(isa, unit, 2 * chunk + 1),
        )
    }

    #[inline(always)]
    fn scales<I: Isa>(isa: I, units: &Units<'_>, ws: &mut GroupScales, _: &mut GroupScales) {
        let d = isa.high_f16(units.gather(isa, 50));
        for ws in &mut ws[..8] {
            isa.store(d, ws);
        }
    }
}
