//! One file per quantised weight format: how its blocks become codes, scales and minimums.
//!
//! Every format is brought to one canonical form, and one pair of loops in [`crate::matmul`] serves all:
//!
//! ```text
//! w[i] = ws[g] * (code[i] - BIAS) + wm[g]          g = i / GROUP, code in 0..=255
//! ```
//!
//! The product with activations `x[i] = dx * q[i]` (int8 `q`) is, for each x block in order,
//!
//! ```text
//! t = 0
//! for each group g of the x block:   t += ws[g] * (Σ (code - BIAS)·q)  [+ wm[g] * Σ q]     fused multiply-adds
//! y += t * dx
//! ```
//!
//! The sums in brackets are exact integers, so they may be taken in any order; the float operations
//! are few and their order is fixed. That makes the result the same bits for one token or many and
//! on every [`Level`](crate::Level). Layouts are defined, and their scalar reading kept, in `tensor::block`.

use crate::isa::{Isa, LANES};

mod iq1_m;
mod iq1_s;
mod iq2_s;
mod iq2_xs;
mod iq2_xxs;
mod iq3_s;
mod iq3_xxs;
mod iq4_nl;
mod iq4_xs;
mod mxfp4;
mod nvfp4;
mod q1_0;
mod q2_0;
mod q2_k;
mod q3_k;
mod q4_0;
mod q4_1;
mod q4_k;
mod q5_0;
mod q5_1;
mod q5_k;
mod q6_k;
mod q8_0;
mod q8_k;
mod tq1_0;
mod tq2_0;

/// Scales or minimums of one unit for a panel's rows: `[group][row]`.
pub(crate) type GroupScales = [[f32; LANES]];

/// What the inner loops must know of a format, apart from how its bytes are read; formats that agree
/// in it share compiled loops.
pub(crate) trait CodeShape: 'static {
    /// Weights that share a scale: 16 or 32.
    const GROUP: usize;
    /// Activations that share a scale: 32, or 256 for formats of 256 weights (as ggml pairs them).
    const X_BLOCK: usize;
    /// Whether groups have minimums.
    const HAS_MIN: bool;
    /// Whether codes exceed 127 (then the bias is 128).
    const WIDE: bool;
}

/// A [`CodeShape`] by its four numbers, in that order.
pub(crate) struct Shape<
    const GROUP: usize,
    const X_BLOCK: usize,
    const HAS_MIN: bool,
    const WIDE: bool,
>;

impl<const GROUP: usize, const X_BLOCK: usize, const HAS_MIN: bool, const WIDE: bool> CodeShape
    for Shape<GROUP, X_BLOCK, HAS_MIN, WIDE>
{
    const GROUP: usize = GROUP;
    const X_BLOCK: usize = X_BLOCK;
    const HAS_MIN: bool = HAS_MIN;
    const WIDE: bool = WIDE;
}

/// How one quant format is read.
///
/// A *unit* is the number of weights handled in one go: a multiple of 64, of the block and of the
/// activation block.
pub(crate) trait QuantFormat: 'static {
    /// Lower-case ggml name, for kernel names.
    const NAME: &'static str;
    /// Weights in a quant block, and its bytes.
    const BLOCK_LEN: usize;
    const BLOCK_BYTES: usize;
    /// Weights in a unit, and its bytes.
    const UNIT: usize = if Self::BLOCK_LEN < 64 {
        64
    } else {
        Self::BLOCK_LEN
    };
    const UNIT_BYTES: usize = Self::UNIT / Self::BLOCK_LEN * Self::BLOCK_BYTES;
    /// Group and activation block sizes, minimums, width of codes.
    type Shape: CodeShape;
    /// What to subtract from a code; 0 if there are minimums.
    const BIAS: u8;
    const GROUP: usize = Self::Shape::GROUP;
    const HAS_MIN: bool = Self::Shape::HAS_MIN;

    /// Codes of weights `64 * chunk ..` of a unit, 32 and 32.
    fn codes<I: Isa>(isa: I, unit: &[u8], chunk: usize) -> (I::B32, I::B32);

    /// Scales (and minimums) of the groups of one unit, 16 rows at a time: `[group][row]`.
    fn scales<I: Isa>(isa: I, units: &Units<'_>, ws: &mut GroupScales, wm: &mut GroupScales);
}

/// The same unit of 16 rows: where each begins in `data`.
#[derive(Clone, Copy)]
pub(crate) struct Units<'a> {
    data: &'a [u8],
    offsets: &'a [u32; LANES],
    at: usize,
}

impl<'a> Units<'a> {
    /// Units at `offsets[r] + at` for each row `r`.
    #[inline(always)]
    pub(crate) fn new(data: &'a [u8], offsets: &'a [u32; LANES], at: usize) -> Self {
        Self { data, offsets, at }
    }

    /// The bytes of one row's unit.
    #[inline(always)]
    pub(crate) fn row(&self, r: usize, len: usize) -> &'a [u8] {
        &self.data[self.offsets[r] as usize + self.at..][..len]
    }

    /// Four bytes at `field` of each unit, as little-endian numbers.
    #[inline(always)]
    pub(crate) fn gather<I: Isa>(&self, isa: I, field: usize) -> I::I32 {
        isa.gather(self.data, self.offsets, self.at + field)
    }

    /// Scales of each row by a plain function of its unit, for formats whose decoding is no simple field.
    #[inline(always)]
    pub(crate) fn each_row<const GROUPS: usize>(
        &self,
        unit_len: usize,
        ws: &mut GroupScales,
        scales: impl Fn(&[u8]) -> [f32; GROUPS],
    ) {
        for r in 0..LANES {
            let of_row = scales(self.row(r, unit_len));
            for g in 0..GROUPS {
                ws[g][r] = of_row[g];
            }
        }
    }
}

/// `N`th byte of each lane.
#[inline(always)]
pub(crate) fn byte<I: Isa>(isa: I, a: I::I32, n: usize) -> I::I32 {
    let shifted = match n {
        0 => a,
        1 => isa.shr_i32::<8>(a),
        2 => isa.shr_i32::<16>(a),
        _ => return isa.shr_i32::<24>(a),
    };
    isa.and_i32(shifted, isa.splat_i32(255))
}

/// Two bytes as a little-endian number.
#[inline(always)]
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

/// Four bytes as a little-endian number.
#[inline(always)]
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// `N` bytes at an offset.
#[inline(always)]
pub(crate) fn bytes_at<const N: usize>(bytes: &[u8], at: usize) -> &[u8; N] {
    bytes[at..at + N]
        .first_chunk()
        .expect("the slice has N bytes")
}

/// Implements `scales` of a format whose blocks start with an f16 scale and, if `HAS_MIN`, an f16 minimum.
macro_rules! f16_scales {
    () => {
        #[inline(always)]
        fn scales<I: $crate::isa::Isa>(
            isa: I,
            units: &$crate::quant::Units<'_>,
            ws: &mut $crate::quant::GroupScales,
            wm: &mut $crate::quant::GroupScales,
        ) {
            let per_block = Self::BLOCK_LEN / Self::GROUP;
            for b in 0..Self::UNIT / Self::BLOCK_LEN {
                let both = units.gather(isa, b * Self::BLOCK_BYTES);
                for group in b * per_block..(b + 1) * per_block {
                    isa.store(isa.low_f16(both), &mut ws[group]);
                    if Self::HAS_MIN {
                        isa.store(isa.high_f16(both), &mut wm[group]);
                    }
                }
            }
        }
    };
}
pub(crate) use f16_scales;

/// Gives `$visit!(type)` for the format of a dtype, `$other` for types that are no quant format.
macro_rules! with_format {
    ($dtype:expr, $visit:ident, $other:expr) => {
        match $dtype {
            tensor::DType::Q4_0 => $visit!($crate::quant::Q4_0),
            tensor::DType::Q4_1 => $visit!($crate::quant::Q4_1),
            tensor::DType::Q5_0 => $visit!($crate::quant::Q5_0),
            tensor::DType::Q5_1 => $visit!($crate::quant::Q5_1),
            tensor::DType::Q8_0 => $visit!($crate::quant::Q8_0),
            tensor::DType::Q2_K => $visit!($crate::quant::Q2K),
            tensor::DType::Q3_K => $visit!($crate::quant::Q3K),
            tensor::DType::Q4_K => $visit!($crate::quant::Q4K),
            tensor::DType::Q5_K => $visit!($crate::quant::Q5K),
            tensor::DType::Q6_K => $visit!($crate::quant::Q6K),
            tensor::DType::Q8_K => $visit!($crate::quant::Q8K),
            tensor::DType::IQ1_S => $visit!($crate::quant::Iq1S),
            tensor::DType::IQ1_M => $visit!($crate::quant::Iq1M),
            tensor::DType::IQ2_XXS => $visit!($crate::quant::Iq2Xxs),
            tensor::DType::IQ2_XS => $visit!($crate::quant::Iq2Xs),
            tensor::DType::IQ2_S => $visit!($crate::quant::Iq2S),
            tensor::DType::IQ3_XXS => $visit!($crate::quant::Iq3Xxs),
            tensor::DType::IQ3_S => $visit!($crate::quant::Iq3S),
            tensor::DType::IQ4_NL => $visit!($crate::quant::Iq4Nl),
            tensor::DType::IQ4_XS => $visit!($crate::quant::Iq4Xs),
            tensor::DType::TQ1_0 => $visit!($crate::quant::Tq1_0),
            tensor::DType::TQ2_0 => $visit!($crate::quant::Tq2_0),
            tensor::DType::MXFP4 => $visit!($crate::quant::Mxfp4),
            tensor::DType::NVFP4 => $visit!($crate::quant::Nvfp4),
            tensor::DType::Q1_0 => $visit!($crate::quant::Q1_0),
            tensor::DType::Q2_0 => $visit!($crate::quant::Q2_0),
            _ => $other,
        }
    };
}
pub(crate) use with_format;

pub(crate) use iq1_m::Iq1M;
pub(crate) use iq1_s::Iq1S;
pub(crate) use iq2_s::Iq2S;
pub(crate) use iq2_xs::Iq2Xs;
pub(crate) use iq2_xxs::Iq2Xxs;
pub(crate) use iq3_s::Iq3S;
pub(crate) use iq3_xxs::Iq3Xxs;
pub(crate) use iq4_nl::Iq4Nl;
pub(crate) use iq4_xs::Iq4Xs;
pub(crate) use mxfp4::Mxfp4;
pub(crate) use nvfp4::Nvfp4;
pub(crate) use q1_0::Q1_0;
pub(crate) use q2_0::Q2_0;
pub(crate) use q2_k::Q2K;
pub(crate) use q3_k::Q3K;
pub(crate) use q4_0::Q4_0;
pub(crate) use q4_1::Q4_1;
pub(crate) use q4_k::Q4K;
pub(crate) use q5_0::Q5_0;
pub(crate) use q5_1::Q5_1;
pub(crate) use q5_k::Q5K;
pub(crate) use q6_k::Q6K;
pub(crate) use q8_0::Q8_0;
pub(crate) use q8_k::Q8K;
pub(crate) use tq1_0::Tq1_0;
pub(crate) use tq2_0::Tq2_0;
