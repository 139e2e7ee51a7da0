//! Instruction sets: one trait of vector operations, one implementation per level, dispatch at run time.
//!
//! A level's *token* ([`Scalar`], `Avx2`, `Avx512`, `Neon`, `Simd128`) is a zero-sized value that can only be made on
//! a CPU that has the features; holding one is the proof that makes its methods sound. An operation
//! is a struct with one generic [`Op::eval`]; [`Isa::run`] enters a `#[target_feature]` function once
//! per operation and everything below is `#[inline(always)]`, so it is compiled with those features.
//! A release binary built for plain x86-64 therefore runs at full speed.
//!
//! Every vector type has the same *virtual* width on every level: 16 lanes of 32 bits, 64 bytes.
//! AVX2 holds two registers for it, NEON and WebAssembly four. With that, and with a fused multiply-add everywhere, all levels
//! do the same float operations in the same order: their results are equal bit for bit, and
//! the scalar level is the specification of the others. WebAssembly alone lacks the fused multiply-add
//! and rounds twice: its results are its own, but the same for every batch.
//!
//! The shape follows Highway (google/highway) and rten-simd; the fixed width is ours.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod fixed;
mod gathered;
mod level;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;
mod tiles;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm;

#[cfg(target_arch = "x86_64")]
pub(crate) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) use avx512::Avx512;
pub use level::Level;
pub(crate) use level::{dispatch, streams_alone, with_level};
#[cfg(target_arch = "aarch64")]
pub(crate) use neon::{Neon, NeonDotprod, NeonI8mm};
pub(crate) use scalar::Scalar;
pub(crate) use tiles::{Ready, ReadyForPlanes, Tiles};
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(crate) use wasm::Simd128;

use crate::quant::codebook::Codebook;

/// Lanes of 32 bits in a vector, and rows of weights in a panel.
pub(crate) const LANES: usize = 16;

/// The vector operations of one level. See the module docs for the rules.
pub(crate) trait Isa: Copy + Send + Sync + 'static {
    /// 16 f32.
    type F32: Copy;
    /// 16 i32.
    type I32: Copy;
    /// 64 bytes: four weight codes of each of 16 rows.
    type B64: Copy;
    /// Whether [`Isa::dot`] returns the product with `code - 128` instead of `code` if codes exceed 127.
    const WIDE_IS_SIGNED: bool;

    /// Tokens whose sums the registers hold at a time: 1, 2, 4 or 8.
    const TOKENS: usize;
    /// The level for what this one has no better instructions for: itself, or one below.
    type Plain: Isa;
    /// The level with instructions for bf16 that CPUs of this one may have; else as `Plain`.
    type Bf16: Isa;

    /// The token, if this CPU has the level.
    fn get() -> Option<Self>;
    /// Runs `op` compiled with this level's features.
    fn run<O: Op>(self, op: O) -> O::Output;

    // -- floats, 16 lanes ---------------------------------------------------------------------
    fn splat(self, x: f32) -> Self::F32;
    fn load(self, x: &[f32; 16]) -> Self::F32;
    fn store(self, x: Self::F32, out: &mut [f32; 16]);
    /// 16 little-endian f32 or f16 to f32.
    fn f32_bytes(self, x: &[u8; 64]) -> Self::F32;
    fn f16_bytes(self, x: &[u8; 32]) -> Self::F32;
    /// 16 f16 to f32.
    fn load_f16(self, x: &[u16; 16]) -> Self::F32;
    /// Rounds to f16, ties to even.
    fn store_f16(self, x: Self::F32, out: &mut [u16; 16]);
    fn add(self, a: Self::F32, b: Self::F32) -> Self::F32;
    fn sub(self, a: Self::F32, b: Self::F32) -> Self::F32;
    fn mul(self, a: Self::F32, b: Self::F32) -> Self::F32;
    fn div(self, a: Self::F32, b: Self::F32) -> Self::F32;
    fn max(self, a: Self::F32, b: Self::F32) -> Self::F32;
    fn min(self, a: Self::F32, b: Self::F32) -> Self::F32;
    fn abs(self, a: Self::F32) -> Self::F32;
    /// `a * b + c`, rounded once.
    fn mul_add(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32;
    /// `acc`, plus the product of the high halves, plus that of the low ones, which are bf16: products are exact, sums
    /// rounded one by one. Numbers below 2^-126 may be taken for zero.
    #[inline(always)]
    fn dot_bf16(self, acc: Self::F32, w: Self::I32, x: Self::I32) -> Self::F32 {
        let high = |a| self.as_f32(self.and_i32(a, self.splat_i32(!0xffff)));
        let low = |a| self.as_f32(self.shl_i32::<16>(a));
        let acc = self.mul_add(high(w), high(x), acc);
        self.mul_add(low(w), low(x), acc)
    }
    /// Nearest integer, ties to even.
    fn round(self, a: Self::F32) -> Self::F32;
    /// `2^n` for lanes holding whole numbers in -126..=127.
    fn exp2_int(self, n: Self::F32) -> Self::F32;
    /// Lanes of `x` where `limit <= a`, else zero.
    fn keep_ge(self, a: Self::F32, limit: f32, x: Self::F32) -> Self::F32;
    /// Sum in the fixed tree: halves 8, 4, 2, 1.
    fn sum(self, a: Self::F32) -> f32;
    /// Largest lane.
    fn max_lane(self, a: Self::F32) -> f32;
    /// Nearest integers as int8, ties to even, four in a number; and the sum of each vector. Lanes must be in -127..=127.
    fn quantize(self, x: [Self::F32; 16], out: &mut [i32; 64]) -> [i32; 16];

    // -- integers -----------------------------------------------------------------------------
    fn zero(self) -> Self::I32;
    fn add_i32(self, a: Self::I32, b: Self::I32) -> Self::I32;
    fn to_f32(self, a: Self::I32) -> Self::F32;
    /// The same bits.
    fn as_f32(self, a: Self::I32) -> Self::F32;

    // -- 16 rows of weights: fields of quant blocks ---------------------------------------------
    /// The 16 bytes at `at` of each row, transposed: vector `i` holds bytes `4i .. 4i + 4` of every row.
    ///
    /// # Panics
    /// If a row is shorter; so for all four of these.
    fn columns(self, rows: &Rows<'_>, at: usize) -> [Self::B64; 4];
    /// Four bytes of each row as a little-endian number.
    fn words(self, rows: &Rows<'_>, at: usize) -> Self::I32;
    /// An f16 of each row, to f32.
    fn halves(self, rows: &Rows<'_>, at: usize) -> Self::F32;
    /// The low and the high 16 bits of each lane as f16, to f32.
    fn low_f16(self, a: Self::I32) -> Self::F32;
    fn high_f16(self, a: Self::I32) -> Self::F32;
    fn splat_i32(self, x: i32) -> Self::I32;
    fn and_i32(self, a: Self::I32, b: Self::I32) -> Self::I32;
    fn or_i32(self, a: Self::I32, b: Self::I32) -> Self::I32;
    fn xor_i32(self, a: Self::I32, b: Self::I32) -> Self::I32;
    /// Wrapping.
    fn mul_i32(self, a: Self::I32, b: Self::I32) -> Self::I32;
    /// Each row's four bytes times its number, if no product is above 255.
    #[inline(always)]
    fn mul_codes(self, codes: Self::B64, by: Self::I32) -> Self::B64 {
        self.as_bytes(self.mul_i32(self.as_words(codes), by))
    }
    fn shl_i32<const N: u32>(self, a: Self::I32) -> Self::I32;
    /// Shifts in zeros.
    fn shr_i32<const N: u32>(self, a: Self::I32) -> Self::I32;
    /// Shifts in the sign.
    fn sar_i32<const N: u32>(self, a: Self::I32) -> Self::I32;
    fn store_i32(self, a: Self::I32, out: &mut [i32; 16]);
    fn load_i32(self, x: &[i32; 16]) -> Self::I32;
    /// Asks for the cache line at `data[at]`, which need not exist.
    fn prefetch<T>(self, data: &[T], at: usize);
    /// The same, between what is written before and after, if the level can; it may cost registers.
    #[inline(always)]
    fn prefetch_here(self, data: &[u8], at: usize) {
        self.prefetch(data, at);
    }
    /// The same, gives `x` and `w` back and, if the level can, has what is read through them read after it.
    #[inline(always)]
    fn prefetch_then<'x, 'w, X, W>(
        self,
        (data, at): (&[u8], usize),
        x: &'x X,
        w: &'w [W],
    ) -> (&'x X, &'w [W]) {
        self.prefetch(data, at);
        (x, w)
    }

    // -- weight codes: 64 bytes, four of each row -----------------------------------------------
    fn load_codes(self, x: &[u8; 64]) -> Self::B64;
    fn store_codes(self, a: Self::B64, out: &mut [u8; 64]);
    /// The four bytes of each row as a little-endian number, and back.
    fn as_words(self, a: Self::B64) -> Self::I32;
    fn as_bytes(self, a: Self::I32) -> Self::B64;
    fn splat8(self, x: u8) -> Self::B64;
    fn and(self, a: Self::B64, b: Self::B64) -> Self::B64;
    fn or(self, a: Self::B64, b: Self::B64) -> Self::B64;
    fn xor(self, a: Self::B64, b: Self::B64) -> Self::B64;
    /// Wrapping.
    fn add8(self, a: Self::B64, b: Self::B64) -> Self::B64;
    /// Wrapping.
    fn sub8(self, a: Self::B64, b: Self::B64) -> Self::B64;
    /// Each byte shifted right by `N` (0..=7).
    fn shr8<const N: u32>(self, a: Self::B64) -> Self::B64;
    /// Each byte shifted left by `N` (0..=7).
    fn shl8<const N: u32>(self, a: Self::B64) -> Self::B64;
    /// The four bytes of each row as one number, shifted right by `n` (0..=31).
    fn shr_words(self, a: Self::B64, n: u32) -> Self::B64;
    /// `table[a]` for bytes in 0..=15.
    fn lookup16(self, table: &[u8; 16], a: Self::B64) -> Self::B64;
    /// Byte `a` of the row's own four `tables`, for bytes in 0..=3.
    fn lookup4(self, tables: Self::I32, a: Self::B64) -> Self::B64;
    /// Byte `j` of a row is `0xff` where bit `j` (0..=3) of its number is set, else 0.
    fn mask4(self, bits: Self::I32) -> Self::B64;
    /// `table[index % N]` of each row; `N` is a power of two.
    fn gather4<const N: usize>(self, table: &[[i8; 4]; N], index: Self::I32) -> Self::B64;
    /// The first and the last four of `table[index % N]` of each row; `N` is a power of two.
    fn gather8<const N: usize>(self, table: &[[i8; 8]; N], index: Self::I32) -> [Self::B64; 2];

    // -- codebooks ------------------------------------------------------------------------------
    /// Codes of four patterns of eight weights of each row, in order.
    ///
    /// Byte `p` of a row's `index` and, above it, as many bits of byte `p` of `more` as the codebook has use for
    /// are the number of pattern `p`; byte `p` of `signs` has the bits beside its weights.
    #[inline(always)]
    fn eights<const N: usize>(
        self,
        book: &Codebook<N, 8>,
        index: Self::I32,
        more: Self::I32,
        signs: Self::I32,
    ) -> [Self::B64; 8] {
        gathered::eights(self, book, index, more, signs)
    }
    /// The same of two times four patterns, for codebooks so large that looking at them once is worth it.
    #[inline(always)]
    fn eights_twice<const N: usize>(
        self,
        book: &Codebook<N, 8>,
        index: [Self::I32; 2],
        more: [Self::I32; 2],
        signs: [Self::I32; 2],
    ) -> [[Self::B64; 8]; 2] {
        [
            self.eights(book, index[0], more[0], signs[0]),
            self.eights(book, index[1], more[1], signs[1]),
        ]
    }
    /// As [`Isa::eights`] for patterns of four weights: bits `4p .. 4p + 4` of `signs` are beside the weights
    /// of pattern `p`.
    #[inline(always)]
    fn fours<const N: usize>(
        self,
        book: &Codebook<N, 4>,
        index: Self::I32,
        more: Self::I32,
        signs: Self::I32,
    ) -> [Self::B64; 4] {
        gathered::fours(self, book, index, more, signs)
    }
    /// Four bytes that begin with seven bits each of the 28 lowest; their eighths may be anything.
    #[inline(always)]
    fn sevens(self, a: Self::I32) -> Self::I32 {
        gathered::sevens(self, a)
    }
    /// Each byte's low seven bits, completed by an eighth so that the number of ones is even.
    #[inline(always)]
    fn even_signs(self, a: Self::I32) -> Self::I32 {
        gathered::even_signs(self, a)
    }

    // -- int8 products ------------------------------------------------------------------------
    /// `acc[i] += sum over q < 4, j < 4 of w[q][4i+j] * x[q][j]`, `x[q]` being four int8 in a number.
    ///
    /// Codes are at most `MAX`, and `x` is not -128. See [`Isa::WIDE_IS_SIGNED`] for `MAX` > 127.
    fn dot<const MAX: u8>(self, acc: Self::I32, w: [Self::B64; 4], x: &[i32; 4]) -> Self::I32;
    /// Whether [`Isa::dot`] is four times [`Isa::dot_one`].
    const DOTS_ONE_BY_ONE: bool = false;
    /// One of the four vectors of [`Isa::dot`].
    #[inline(always)]
    fn dot_one(self, acc: Self::I32, w: Self::B64, x: i32) -> Self::I32 {
        let _ = (acc, w, x);
        unreachable!("DOTS_ONE_BY_ONE says so")
    }
    /// `acc[i] += low(a[i]) * low(x) + high(a[i]) * high(x)`, halves being i16.
    fn dot_pairs(self, acc: Self::I32, a: Self::I32, x: i32) -> Self::I32;

    // -- attention ----------------------------------------------------------------------------
    /// Whether registers hold tiles of 4 x 6 sums, or else of 2 x 2.
    const WIDE_TILES: bool = false;
    /// Lane `i` is `x[i] + x[i ^ H]` where bit `H` (1, 2, 4, 8) of `i` is 0, else `x[i ^ H] - x[i]`.
    #[inline(always)]
    fn butterfly<const H: usize>(self, x: Self::F32) -> Self::F32 {
        let (mut lanes, mut out) = ([0.0; 16], [0.0; 16]);
        self.store(x, &mut lanes);
        for i in (0..16).filter(|i| i & H == 0) {
            (out[i], out[i + H]) = (lanes[i] + lanes[i + H], lanes[i] - lanes[i + H]);
        }
        self.load(&out)
    }
    /// Nearest integers, ties to even.
    #[inline(always)]
    fn to_i32(self, x: Self::F32) -> Self::I32 {
        let (mut lanes, mut bytes) = ([0.0; 16], [0; 64]);
        self.store(x, &mut lanes);
        for (lane, word) in lanes.iter().zip(bytes.as_chunks_mut::<4>().0) {
            *word = (lane.round_ties_even() as i32).to_le_bytes();
        }
        self.as_words(self.load_codes(&bytes))
    }
    /// The low byte of each lane.
    #[inline(always)]
    fn store_low(self, x: Self::I32, out: &mut [u8; 16]) {
        let mut bytes = [0; 64];
        self.store_codes(self.as_bytes(x), &mut bytes);
        for (out, word) in out.iter_mut().zip(bytes.as_chunks::<4>().0) {
            *out = word[0];
        }
    }
    /// `acc[i] += sum over j < 4 of w[4i+j] * x[4i+j]`, `w` being unsigned, at most `MAX`, and `x` signed.
    ///
    /// See [`Isa::WIDE_IS_SIGNED`] for `MAX` > 127; `x` is not -128 then.
    #[inline(always)]
    fn dot_four<const MAX: u8>(self, acc: Self::I32, w: Self::B64, x: Self::B64) -> Self::I32 {
        let bias = i32::from(MAX > 127 && Self::WIDE_IS_SIGNED) * 128;
        let (mut ws, mut xs, mut sums) = ([0; 64], [0; 64], [0; 64]);
        self.store_codes(w, &mut ws);
        self.store_codes(x, &mut xs);
        for i in 0..16 {
            let mut sum = 0;
            for j in 4 * i..4 * i + 4 {
                sum += (i32::from(ws[j]) - bias) * i32::from(xs[j] as i8);
            }
            sums[4 * i..4 * i + 4].copy_from_slice(&sum.to_le_bytes());
        }
        self.add_i32(acc, self.as_words(self.load_codes(&sums)))
    }
}

/// Sixteen weight rows as they lie in the file.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    data: &'a [u8],
    /// Bytes from one row to the next; 0 for the same row sixteen times.
    stride: usize,
}

impl<'a> Rows<'a> {
    /// Rows that begin every `stride` bytes of `data`.
    #[inline(always)]
    pub(crate) fn new(data: &'a [u8], stride: usize) -> Self {
        Self { data, stride }
    }

    /// All bytes from the first row on.
    #[inline(always)]
    pub(crate) fn data(&self) -> &'a [u8] {
        self.data
    }

    #[cfg(not(target_family = "wasm"))]
    #[inline(always)]
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    /// Bytes `at .. at + N` of row `r`.
    #[inline(always)]
    pub(crate) fn bytes<const N: usize>(&self, r: usize, at: usize) -> &'a [u8; N] {
        self.data[r * self.stride + at..]
            .first_chunk()
            .expect("a field lies in its block")
    }

    /// # Panics
    /// If `len` bytes at `at` of the last row are outside the data; all others begin before it.
    #[inline(always)]
    pub(crate) fn check(&self, at: usize, len: usize) {
        assert!(
            (LANES - 1) * self.stride + at + len <= self.data.len(),
            "a field lies in its block"
        );
    }
}

/// [`Isa::quantize`] by vectors: `$one` makes four numbers of each, and its sum.
macro_rules! quantize_each {
    ($one:expr, $x:ident, $out:ident) => {{
        let mut sums = [0; 16];
        for i in 0..16 {
            let four = $out[4 * i..].first_chunk_mut().expect("four of 64");
            sums[i] = $one($x[i], four);
        }
        sums
    }};
}
pub(crate) use quantize_each;

/// An operation that [`Isa::run`] compiles for a level.
pub(crate) trait Op {
    type Output;
    fn eval<I: Isa>(self, isa: I) -> Self::Output;
}
