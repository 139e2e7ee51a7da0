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
//! for each group g of the x block:   t = fma(ws[g], Σ (code - BIAS)·q, t)
//!                                    with float minimums:  t = fma(wm[g], Σ q, t)
//! with whole scales (sc, and one d for 256 weights):       t = d * Σ_g sc[g]·Σ (code - BIAS)·q
//! with whole minimums (m, and one dmin for 256 weights):   t = fma(dmin, Σ_g m[g]·Σ q, t)
//! y = fma(t, dx, y)
//! ```
//!
//! All sums are exact integers, so they may be taken in any order; the float operations are few and
//! their order is fixed. That makes the result the same bits for one token or many and on every
//! [`Level`](crate::Level). Layouts are defined, and their scalar reading kept, in `tensor::block`.
//!
//! Codes are unpacked 16 rows at a time from *columns*: vectors that hold the same four bytes of each
//! row ([`Isa::columns`]). Most formats are made of bytes that are read alike (a nibble, a bit pair, a
//! table look-up), so the same few instructions then unpack 64 weights, whatever row they are of.

use crate::isa::{Isa, LANES, Rows};

pub(crate) mod codebook;
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

/// Weights handled in one go: a block of the K and IQ types, eight of the small ones.
pub(crate) const STEP: usize = 256;

/// Room for the columns of a step.
pub(crate) type Columns = [[u8; 64]; 64];

/// Scales and minimums of a step for 16 rows: `[group][row]`.
pub(crate) struct Scales {
    pub(crate) ws: [[f32; LANES]; 16],
    /// What whole scales are multiplied with.
    pub(crate) d: [f32; LANES],
    /// Float minimums; or, with whole ones, `-dmin` in the first place.
    pub(crate) wm: [[f32; LANES]; 8],
    /// Whole minimums of two neighbouring groups as i16, low and high.
    pub(crate) pairs: [[i32; LANES]; 8],
    pub(crate) tables: Tables,
}

/// Room for small tables of a block that `codes` looks into: four bytes for each row.
pub(crate) type Tables = [[i32; LANES]; 32];

impl Scales {
    pub(crate) fn new() -> Self {
        Self {
            ws: [[0.0; LANES]; 16],
            d: [0.0; LANES],
            wm: [[0.0; LANES]; 8],
            pairs: [[0; LANES]; 8],
            tables: [[0; LANES]; 32],
        }
    }
}

/// How minimums enter a product (see [`CodeShape::MINS`]).
pub(crate) const NO_MINS: usize = 0;
/// An f32 for each group.
pub(crate) const FLOAT_MINS: usize = 1;

/// What the inner loops must know of a format, apart from how its bytes are read; formats that agree
/// in it share compiled loops.
pub(crate) trait CodeShape: 'static {
    /// Weights that share a scale: 16, 32 or 256.
    const GROUP: usize;
    /// Activations that share a scale: 32, or 256 for formats of 256 weights (as ggml pairs them).
    const X_BLOCK: usize;
    /// [`NO_MINS`], [`FLOAT_MINS`], or 16 or 32: whole minimums of so many weights.
    const MINS: usize;
    /// No code is above it. 15, 31, 63, 127 or 255: small codes take fewer instructions on some levels.
    const MAX: u8;
    /// What to subtract from a code; 0 if there are minimums.
    const BIAS: u8;
    /// Whether scales are whole numbers of 6 bits: groups of 32, codes up to 15. Half a step's sum of them is exact
    /// as an f32 then (`4 * 63 * 32 * 15 * 127 < 2^24`), and that of all rounds once.
    const WHOLE_SCALES: bool = false;
}

/// A [`CodeShape`] with whole scales.
pub(crate) struct WholeScales<S>(std::marker::PhantomData<S>);

impl<S: CodeShape> CodeShape for WholeScales<S> {
    const GROUP: usize = S::GROUP;
    const X_BLOCK: usize = S::X_BLOCK;
    const MINS: usize = S::MINS;
    const MAX: u8 = S::MAX;
    const BIAS: u8 = S::BIAS;
    const WHOLE_SCALES: bool = {
        assert!(S::GROUP == 32 && S::X_BLOCK == STEP && S::MAX <= 15);
        true
    };
}

/// A [`CodeShape`] by its five numbers, in that order.
pub(crate) struct Shape<
    const GROUP: usize,
    const X_BLOCK: usize,
    const MINS: usize,
    const MAX: u8,
    const BIAS: u8,
>;

impl<const GROUP: usize, const X_BLOCK: usize, const MINS: usize, const MAX: u8, const BIAS: u8>
    CodeShape for Shape<GROUP, X_BLOCK, MINS, MAX, BIAS>
{
    const GROUP: usize = GROUP;
    const X_BLOCK: usize = X_BLOCK;
    const MINS: usize = MINS;
    const MAX: u8 = MAX;
    const BIAS: u8 = BIAS;
}

/// How one quant format is read.
pub(crate) trait QuantFormat: 'static {
    /// Lower-case ggml name, for kernel names.
    const NAME: &'static str;
    /// Weights in a quant block, and its bytes.
    const BLOCK_LEN: usize;
    const BLOCK_BYTES: usize;
    /// Group and activation block sizes, minimums, range of codes.
    type Shape: CodeShape;
    /// Where runs of 16 bytes begin in a block that together hold all that `codes` reads; each makes
    /// four columns.
    const PIECES: &'static [usize];

    /// Place and length of what is in no piece, in order: [`Block::halves`] reads two bytes, [`Block::words`] four and
    /// [`Block::low_bytes`] one.
    const FIELDS: &'static [(usize, usize)];

    /// Whether the CPU may be left to fetch repacked columns: they lie in the order of their use, and little is computed
    /// between them. Its prefetcher then does better than we: lines that we ask for hold places that loads need.
    const IN_ORDER: bool = false;

    /// Weights in a span: a block's codes are unpacked by a loop over spans.
    const SPAN: usize = Self::BLOCK_LEN;
    /// Whether unpacking costs little, so that a few tokens may meet codes in registers.
    const CHEAP: bool = true;
    /// Whether codes come from a codebook, which some levels have instructions for.
    const BOOK: bool = false;
    /// Whether columns are used so often that one token is better served by storing them first.
    const STORE_COLUMNS: bool = false;

    /// Sixteens of a span if they come together (2 or 4), or else 1.
    const TOGETHER: usize = 1;

    /// Codes of weights `16 * S ..` of a span, four of each row in a vector.
    #[inline(always)]
    fn codes<I: Isa, const S: usize>(isa: I, block: Block<'_>, tables: &Tables) -> [I::B64; 4] {
        Self::together(isa, block, tables)[S]
    }
    /// All of a span, for formats that give codes so; of two sixteens both twice.
    #[inline(always)]
    fn together<I: Isa>(isa: I, block: Block<'_>, tables: &Tables) -> [[I::B64; 4]; 4] {
        let _ = (isa, block, tables);
        unreachable!("a format gives codes one way or the other")
    }

    /// Whether one token is better served by [`QuantFormat::whole`]: formats of one group of 256.
    const WHOLE: bool = false;
    /// Whether it asks for what comes next ([`Block::ask`]). (Q3_K and TQ1_0 lost 6 % by it on a Granite Rapids.)
    const WHOLE_ASKS: bool = false;
    /// `Σ (code - BIAS)·q` of a block without making its codes.
    #[inline(always)]
    fn whole<I: Isa>(
        isa: I,
        block: Block<'_>,
        tables: &Tables,
        x: &[i32; STEP / 4],
        minus16: &[i32; 16],
    ) -> I::I32 {
        let _ = (isa, block, tables, x, minus16);
        unreachable!("a format with WHOLE has its own")
    }

    /// Scales and minimums of a block's groups, the first of them group `first` of the step; and tables.
    fn scales<I: Isa>(isa: I, block: Block<'_>, first: usize, out: &mut Scales);
}

/// Where the field at `field` of a block is among its fields: pieces come before all of them or after.
#[inline(always)]
pub(crate) const fn field_place(pieces: &[usize], field: usize) -> usize {
    if pieces[0] < field {
        field - 4 * stored_columns(pieces)
    } else {
        field
    }
}

/// Columns of the last piece that the piece before it has, too.
const fn overlap(pieces: &[usize]) -> usize {
    match *pieces {
        [.., a, b] => (a + 16 - b) / 4,
        _ => 0,
    }
}

/// Columns of a repacked block: each once.
pub(crate) const fn stored_columns(pieces: &[usize]) -> usize {
    4 * pieces.len() - overlap(pieces)
}

/// Where column `column` of the pieces is among those of a repacked block.
#[inline(always)]
pub(crate) const fn column_place(pieces: &[usize], column: usize) -> usize {
    if column < 4 * (pieces.len() - 1) {
        column
    } else {
        column - overlap(pieces)
    }
}

/// The same block of 16 rows: `at` bytes after each row's beginning.
#[derive(Clone, Copy)]
pub(crate) struct Block<'a> {
    pub(crate) rows: &'a Rows<'a>,
    pub(crate) at: usize,
    /// The columns of its pieces; none if they are to be made as they are used.
    pub(crate) columns: Option<&'a [[u8; 64]]>,
    /// `PIECES` of the format.
    pub(crate) pieces: &'static [usize],
    /// Fields of repacked blocks, those of 16 rows together.
    pub(crate) fields: Option<&'a [u8]>,
    /// Which of its spans `codes` is to unpack.
    pub(crate) span: usize,
    /// Where in `rows` what `whole` is to ask for on the way begins, if anything is: as much as a block of each row.
    pub(crate) next: Option<usize>,
}

impl<'a> Block<'a> {
    /// Asks for part `part` of `parts` of what will be needed next; a block has `bytes` bytes.
    #[inline(always)]
    pub(crate) fn ask<I: Isa>(&self, isa: I, bytes: usize, part: usize, parts: usize) {
        let Some(next) = self.next else { return };
        let lines = (LANES * bytes).div_ceil(64);
        for line in part * lines / parts..(part + 1) * lines / parts {
            isa.prefetch(self.rows.data(), next + 64 * line);
        }
    }

    /// Four bytes at `field` of each row, as little-endian numbers.
    #[inline(always)]
    pub(crate) fn words<I: Isa>(&self, isa: I, field: usize) -> I::I32 {
        match self.repacked(field) {
            Some(words) => isa.as_words(isa.load_codes(words)),
            None => isa.words(self.rows, self.at + field),
        }
    }

    /// An f16 at `field` of each row.
    #[inline(always)]
    pub(crate) fn halves<I: Isa>(&self, isa: I, field: usize) -> I::F32 {
        match self.repacked(field) {
            Some(halves) => isa.f16_bytes(halves),
            None => isa.halves(self.rows, self.at + field),
        }
    }

    /// A byte at `field` of each row, and above it anything.
    #[inline(always)]
    pub(crate) fn low_bytes<I: Isa>(&self, isa: I, field: usize) -> I::I32 {
        match self.repacked::<LANES>(field) {
            Some(bytes) => {
                let mut words = [0; LANES];
                for r in 0..LANES {
                    words[r] = i32::from(bytes[r]);
                }
                isa.load_i32(&words)
            }
            None => isa.words(self.rows, self.at + field),
        }
    }

    /// A field of sixteen repacked blocks.
    #[inline(always)]
    fn repacked<const N: usize>(&self, field: usize) -> Option<&'a [u8; N]> {
        let fields = self.fields?;
        let field = &fields[LANES * field_place(self.pieces, field)..];
        Some(field.first_chunk().expect("FIELDS has it"))
    }

    /// Sixteen bytes of each row, four columns, as numbers.
    #[inline(always)]
    pub(crate) fn four_words<I: Isa>(&self, isa: I, first: usize) -> [I::I32; 4] {
        let [a, b, c, d] = self.four(isa, first);
        [
            isa.as_words(a),
            isa.as_words(b),
            isa.as_words(c),
            isa.as_words(d),
        ]
    }

    /// Four neighbouring columns, the first a multiple of four.
    #[inline(always)]
    pub(crate) fn four<I: Isa>(&self, isa: I, first: usize) -> [I::B64; 4] {
        let Some(columns) = self.columns else {
            return isa.columns(self.rows, self.at + self.pieces[first / 4]);
        };
        let first = self.place(first);
        let four: &[[u8; 64]; 4] = columns[first..].first_chunk().expect("PIECES covers it");
        [
            isa.load_codes(&four[0]),
            isa.load_codes(&four[1]),
            isa.load_codes(&four[2]),
            isa.load_codes(&four[3]),
        ]
    }

    /// One column.
    #[inline(always)]
    pub(crate) fn one<I: Isa>(&self, isa: I, column: usize) -> I::B64 {
        match self.columns {
            Some(columns) => isa.load_codes(&columns[self.place(column)]),
            None => self.four(isa, column / 4 * 4)[column % 4],
        }
    }

    /// Where a column is among those that are stored.
    #[inline(always)]
    fn place(&self, column: usize) -> usize {
        match self.fields {
            Some(_) => column_place(self.pieces, column),
            None => column,
        }
    }

    /// One column as numbers.
    #[inline(always)]
    pub(crate) fn column<I: Isa>(&self, isa: I, column: usize) -> I::I32 {
        isa.as_words(self.one(isa, column))
    }

    /// Nibbles of 16 bytes that begin at a column: the low ones, or the high ones.
    #[inline(always)]
    pub(crate) fn nibbles<I: Isa>(&self, isa: I, first: usize, high: bool) -> [I::B64; 4] {
        let packed = self.four(isa, first);
        if high {
            shifted::<I, 4>(isa, packed)
        } else {
            masked(isa, packed, 15)
        }
    }
}

/// `a & mask` of four vectors.
#[inline(always)]
pub(crate) fn masked<I: Isa>(isa: I, [a, b, c, d]: [I::B64; 4], mask: u8) -> [I::B64; 4] {
    let mask = isa.splat8(mask);
    [
        isa.and(a, mask),
        isa.and(b, mask),
        isa.and(c, mask),
        isa.and(d, mask),
    ]
}

/// `a >> N` of four vectors.
#[inline(always)]
pub(crate) fn shifted<I: Isa, const N: u32>(isa: I, [a, b, c, d]: [I::B64; 4]) -> [I::B64; 4] {
    [
        isa.shr8::<N>(a),
        isa.shr8::<N>(b),
        isa.shr8::<N>(c),
        isa.shr8::<N>(d),
    ]
}

/// `table[a]` of four vectors of nibbles.
#[inline(always)]
pub(crate) fn looked_up<I: Isa>(
    isa: I,
    table: &[u8; 16],
    [a, b, c, d]: [I::B64; 4],
) -> [I::B64; 4] {
    [
        isa.lookup16(table, a),
        isa.lookup16(table, b),
        isa.lookup16(table, c),
        isa.lookup16(table, d),
    ]
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

/// [`byte`] of a number known late.
#[inline(always)]
pub(crate) fn byte_at<I: Isa>(isa: I, a: I::I32, n: usize) -> I::I32 {
    let shifted = isa.as_words(isa.shr_words(isa.as_bytes(a), 8 * n as u32));
    isa.and_i32(shifted, isa.splat_i32(255))
}

/// Sixteen `i` of a step's activations.
#[inline(always)]
pub(crate) fn part(x: &[i32; STEP / 4], i: usize) -> &[i32; 4] {
    x[4 * i..].first_chunk().expect("a step has sixteen")
}

/// Implements `scales` of a format whose blocks start with an f16 scale and, with minimums, an f16 minimum.
macro_rules! f16_scales {
    () => {
        #[inline(always)]
        fn scales<I: $crate::isa::Isa>(
            isa: I,
            block: $crate::quant::Block<'_>,
            first: usize,
            out: &mut $crate::quant::Scales,
        ) {
            use $crate::quant::CodeShape;
            let has_mins = <Self::Shape as CodeShape>::MINS == $crate::quant::FLOAT_MINS;
            for i in 0..Self::BLOCK_LEN / <Self::Shape as CodeShape>::GROUP {
                if has_mins {
                    let both = block.words(isa, 0);
                    isa.store(isa.low_f16(both), &mut out.ws[first + i]);
                    isa.store(isa.high_f16(both), &mut out.wm[first + i]);
                } else {
                    isa.store(block.halves(isa, 0), &mut out.ws[first + i]);
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
