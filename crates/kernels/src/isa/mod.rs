//! Instruction sets: one trait of vector operations, one implementation per level, dispatch at run time.
//!
//! A level's *token* ([`Scalar`], [`Avx2`], [`Avx512`]) is a zero-sized value that can only be made on
//! a CPU that has the features; holding one is the proof that makes its methods sound. An operation
//! is a struct with one generic [`Op::eval`]; [`Isa::run`] enters a `#[target_feature]` function once
//! per operation and everything below is `#[inline(always)]`, so it is compiled with those features.
//! A release binary built for plain x86-64 therefore runs at full speed.
//!
//! Every vector type has the same *virtual* width on every level: 16 lanes of 32 bits, 64 bytes.
//! AVX2 holds two registers for it. With that, and with a fused multiply-add everywhere, all levels
//! do the same float operations in the same order: their results are equal bit for bit, and
//! the scalar level is the specification of the others.
//!
//! The shape follows Highway (google/highway) and rten-simd; the fixed width is ours.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod scalar;

#[cfg(target_arch = "x86_64")]
pub(crate) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) use avx512::Avx512;
pub(crate) use scalar::Scalar;

/// Lanes of 32 bits in a vector, and rows of weights in a panel.
pub(crate) const LANES: usize = 16;

/// The vector operations of one level. See the module docs for the rules.
pub(crate) trait Isa: Copy + Send + Sync + 'static {
    /// 16 f32.
    type F32: Copy;
    /// 16 i32; also four sums for each of four 16-byte quarters (see [`Isa::dot64`]).
    type I32: Copy;
    /// 32 unsigned bytes: weight codes.
    type B32: Copy;
    /// 64 bytes.
    type B64: Copy;
    /// Whether [`Isa::dot64`] and [`Isa::dot_splat`] in their `WIDE` form return the product with
    /// `code - 128` instead of `code`.
    const WIDE_IS_SIGNED: bool;

    /// Tokens whose sums the registers hold at a time: 4 or 8.
    const TOKENS: usize;

    /// The token, if this CPU has the level.
    fn get() -> Option<Self>;
    /// Runs `op` compiled with this level's features.
    fn run<O: Op>(self, op: O) -> O::Output;

    // -- floats, 16 lanes ---------------------------------------------------------------------
    fn splat(self, x: f32) -> Self::F32;
    fn load(self, x: &[f32; 16]) -> Self::F32;
    fn store(self, x: Self::F32, out: &mut [f32; 16]);
    /// One f16 to f32.
    fn f16(self, x: u16) -> f32;
    /// 16 f16 to f32.
    fn load_f16(self, x: &[u16; 16]) -> Self::F32;
    /// Rounds to f16, ties to even.
    fn store_f16(self, x: Self::F32, out: &mut [u16; 16]);
    /// 16 bf16 to f32.
    fn load_bf16(self, x: &[u16; 16]) -> Self::F32;
    fn add(self, a: Self::F32, b: Self::F32) -> Self::F32;
    fn sub(self, a: Self::F32, b: Self::F32) -> Self::F32;
    fn mul(self, a: Self::F32, b: Self::F32) -> Self::F32;
    fn div(self, a: Self::F32, b: Self::F32) -> Self::F32;
    fn max(self, a: Self::F32, b: Self::F32) -> Self::F32;
    fn min(self, a: Self::F32, b: Self::F32) -> Self::F32;
    fn abs(self, a: Self::F32) -> Self::F32;
    /// `a * b + c`, rounded once.
    fn mul_add(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32;
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
    /// Nearest integers as int8, ties to even; lanes must be in -127..=127.
    fn store_i8(self, x: Self::F32, out: &mut [i8; 16]);

    // -- integers -----------------------------------------------------------------------------
    fn zero(self) -> Self::I32;
    fn add_i32(self, a: Self::I32, b: Self::I32) -> Self::I32;
    fn to_f32(self, a: Self::I32) -> Self::F32;

    // -- 16 rows at a time: fields of quant blocks ------------------------------------------------
    /// Four bytes at `offsets[r] + at` for each row `r`, as little-endian numbers.
    ///
    /// # Panics
    /// If one of them is outside `data`.
    fn gather(self, data: &[u8], offsets: &[u32; 16], at: usize) -> Self::I32;
    /// The low and the high 16 bits of each lane as f16, to f32.
    fn low_f16(self, a: Self::I32) -> Self::F32;
    fn high_f16(self, a: Self::I32) -> Self::F32;
    fn splat_i32(self, x: i32) -> Self::I32;
    fn and_i32(self, a: Self::I32, b: Self::I32) -> Self::I32;
    fn or_i32(self, a: Self::I32, b: Self::I32) -> Self::I32;
    fn shl_i32<const N: u32>(self, a: Self::I32) -> Self::I32;
    /// Shifts in zeros.
    fn shr_i32<const N: u32>(self, a: Self::I32) -> Self::I32;
    /// Shifts in the sign.
    fn sar_i32<const N: u32>(self, a: Self::I32) -> Self::I32;
    /// Asks for the cache line at `data[at]`, which need not exist.
    fn prefetch(self, data: &[u8], at: usize);

    // -- weight codes: 32 bytes ---------------------------------------------------------------
    fn load32(self, x: &[u8; 32]) -> Self::B32;
    /// The 16 bytes twice.
    fn load16_twice(self, x: &[u8; 16]) -> Self::B32;
    /// Low nibbles of 16 bytes, then their high nibbles.
    fn nibbles(self, x: &[u8; 16]) -> Self::B32;
    fn splat8(self, x: u8) -> Self::B32;
    fn and(self, a: Self::B32, b: Self::B32) -> Self::B32;
    fn or(self, a: Self::B32, b: Self::B32) -> Self::B32;
    fn xor(self, a: Self::B32, b: Self::B32) -> Self::B32;
    fn add8(self, a: Self::B32, b: Self::B32) -> Self::B32;
    fn sub8(self, a: Self::B32, b: Self::B32) -> Self::B32;
    /// Each byte shifted right by `N` (0..=7).
    fn shr8<const N: i32>(self, a: Self::B32) -> Self::B32;
    /// Each byte shifted left by `N` (0..=7).
    fn shl8<const N: i32>(self, a: Self::B32) -> Self::B32;
    /// `table[a]` for bytes in 0..=15.
    fn lookup16(self, table: &[u8; 16], a: Self::B32) -> Self::B32;
    /// `0xff` where bit `i` of `bits` is set, else 0.
    fn mask32(self, bits: u32) -> Self::B32;
    fn store32(self, a: Self::B32, out: &mut [u8; 32]);

    // -- int8 products ------------------------------------------------------------------------
    fn load64(self, x: &[i8; 64]) -> Self::B64;
    /// Lane `i` is `sum over j < 4 of w[4i+j] * x[4i+j]`, `w` being `lo` then `hi`, unsigned.
    ///
    /// Codes are at most 127 unless `WIDE`.
    fn dot64<const WIDE: bool>(self, lo: Self::B32, hi: Self::B32, x: Self::B64) -> Self::I32;
    /// Sums the four lanes of each quarter: lane `4q + r` of the result is quarter `q` of `rows[r]`.
    fn reduce4(self, rows: [Self::I32; 4]) -> Self::I32;
    /// Turns four results of [`Isa::reduce4`] (rows 0-3, 4-7, ...) into one vector of 16 rows for each quarter.
    fn transpose_quarters(self, rows: [Self::I32; 4]) -> [Self::I32; 4];
    /// A row of a panel: 16 rows x 4 codes.
    fn load_codes(self, x: &[u8; 64]) -> Self::B64;
    /// `acc[i] += sum over j < 4 of w[4i+j] * x[j]`; codes at most 127 unless `WIDE`.
    fn dot_splat<const WIDE: bool>(self, acc: Self::I32, w: Self::B64, x: [i8; 4]) -> Self::I32;
    /// Transposes 16 rows of 16 groups of 4 bytes.
    fn transpose_codes(self, rows: &[[u8; 64]; 16], out: &mut [[u8; 64]; 16]);
}

/// # Panics
/// If four bytes at the farthest of `offsets` are outside `data`.
#[inline(always)]
pub(crate) fn assert_gather(data: &[u8], offsets: &[u32; 16], at: usize) {
    let mut farthest = 0;
    for &offset in offsets {
        farthest = offset.max(farthest);
    }
    assert!(
        farthest as usize + at + 4 <= data.len(),
        "a field lies in its block"
    );
}

/// An operation that [`Isa::run`] compiles for a level.
pub(crate) trait Op {
    type Output;
    fn eval<I: Isa>(self, isa: I) -> Self::Output;
}

/// What a CPU can do, ascending. Results are the same bits at every level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Plain Rust, the specification of the others.
    Scalar,
    /// AVX2, FMA and F16C (x86-64-v3).
    Avx2,
    /// AVX-512 F, BW, DQ, VL (x86-64-v4).
    Avx512,
    /// AVX-512 with the int8 dot product (VNNI).
    Avx512Vnni,
}

impl Level {
    /// Every level this build knows, ascending.
    pub const ALL: [Self; 4] = [Self::Scalar, Self::Avx2, Self::Avx512, Self::Avx512Vnni];

    /// Its name, as `INGLE_ISA` takes it and kernels carry it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Avx512Vnni => "avx512-vnni",
        }
    }

    /// Whether this CPU has it.
    pub fn is_available(self) -> bool {
        match self {
            Self::Scalar => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => Avx2::new().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => Avx512::<false>::new().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => Avx512::<true>::new().is_some(),
            #[cfg(not(target_arch = "x86_64"))]
            _ => false,
        }
    }

    /// The levels this CPU has, ascending.
    pub fn available() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|level| level.is_available())
    }

    /// The best level of this CPU.
    pub fn best() -> Self {
        Self::available().last().unwrap_or(Self::Scalar)
    }

    /// The level `INGLE_ISA` names, or the best one.
    ///
    /// # Errors
    /// If the variable names no level, or one this CPU lacks; the text says which there are.
    pub fn from_env() -> Result<Self, String> {
        let Ok(wanted) = std::env::var("INGLE_ISA") else {
            return Ok(Self::best());
        };
        let names: Vec<_> = Self::available().map(Self::name).collect();
        Self::available()
            .find(|level| level.name() == wanted)
            .ok_or_else(|| {
                format!(
                    "`INGLE_ISA`: expected a level of this CPU, found `{wanted}`\nhint: one of {}",
                    names.join(", ")
                )
            })
    }
}

/// Runs `op` at `level`.
///
/// # Panics
/// If the CPU lacks the level: [`Level`] values come from [`Level::available`] or are checked where they enter.
pub(crate) fn dispatch<O: Op>(level: Level, op: O) -> O::Output {
    match level {
        Level::Scalar => Scalar.run(op),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => Avx2::new().expect("the level was checked at load").run(op),
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => Avx512::<false>::new()
            .expect("the level was checked at load")
            .run(op),
        #[cfg(target_arch = "x86_64")]
        Level::Avx512Vnni => Avx512::<true>::new()
            .expect("the level was checked at load")
            .run(op),
        #[cfg(not(target_arch = "x86_64"))]
        _ => unreachable!("only the scalar level is ever available here"),
    }
}
