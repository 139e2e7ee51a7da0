//! Levels of instructions: their names, which of them a CPU has, and how to run an operation at one.

use super::{Isa, Op, Tiles};

/// What a CPU can do, ascending. Results are the same bits at every level but [`Level::WasmSimd128`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Plain Rust, the specification of the others.
    Scalar,
    /// AVX2, FMA and F16C (x86-64-v3).
    Avx2,
    /// AVX2 with the int8 dot product on 256 bits (AVX-VNNI).
    Avx2Vnni,
    /// AVX-512 F, BW, DQ, VL (x86-64-v4).
    Avx512,
    /// AVX-512 with the int8 dot product (VNNI).
    Avx512Vnni,
    /// AVX-512 with VNNI, VBMI and GFNI (Ice Lake, Zen 4 and later): better at codebook types.
    Avx512Gfni,
    /// AVX-512 with VNNI, VBMI, GFNI and AMX-INT8 (Sapphire Rapids and later): many tokens by tiles.
    Avx512Amx,
    /// NEON, which every 64-bit Arm has.
    Neon,
    /// NEON with the signed int8 dot product (Armv8.2 and later).
    NeonDotprod,
    /// NEON with the mixed int8 dot product (Armv8.6 and later).
    NeonI8mm,
    /// WebAssembly's 128-bit vectors, in programs built with `simd128`. It has no fused multiply-add:
    /// results differ from the other levels' by rounding, though not with batch or threads.
    WasmSimd128,
}

/// `$f!(Token)` for the token of a level, or `$otherwise` if this build does not have it.
macro_rules! with_level {
    ($level:expr, $f:ident, $otherwise:expr) => {{
        use $crate::isa::{self, Level};
        match $level {
            Level::Scalar => $f!(isa::Scalar),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => $f!(isa::Avx2<false>),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2Vnni => $f!(isa::Avx2<true>),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => $f!(isa::Avx512<false, false>),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512Vnni => $f!(isa::Avx512<true, false>),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512Gfni | Level::Avx512Amx => $f!(isa::Avx512<true, true>),
            #[cfg(target_arch = "aarch64")]
            Level::Neon => $f!(isa::Neon),
            #[cfg(target_arch = "aarch64")]
            Level::NeonDotprod => $f!(isa::NeonDotprod),
            #[cfg(target_arch = "aarch64")]
            Level::NeonI8mm => $f!(isa::NeonI8mm),
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            Level::WasmSimd128 => $f!(isa::Simd128),
            _ => $otherwise,
        }
    }};
}
pub(crate) use with_level;

impl Level {
    /// Every level, ascending within a kind of CPU.
    pub const ALL: [Self; 11] = [
        Self::Scalar,
        Self::Avx2,
        Self::Avx2Vnni,
        Self::Avx512,
        Self::Avx512Vnni,
        Self::Avx512Gfni,
        Self::Avx512Amx,
        Self::Neon,
        Self::NeonDotprod,
        Self::NeonI8mm,
        Self::WasmSimd128,
    ];

    /// Its name, as `INGLE_ISA` takes it and kernels carry it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Avx2 => "avx2",
            Self::Avx2Vnni => "avx2-vnni",
            Self::Avx512 => "avx512",
            Self::Avx512Vnni => "avx512-vnni",
            Self::Avx512Gfni => "avx512-gfni",
            Self::Avx512Amx => "avx512-amx",
            Self::Neon => "neon",
            Self::NeonDotprod => "neon-dotprod",
            Self::NeonI8mm => "neon-i8mm",
            Self::WasmSimd128 => "wasm-simd128",
        }
    }

    /// Whether this build has it and this CPU too.
    pub fn is_available(self) -> bool {
        macro_rules! has {
            ($token:ty) => {
                <$token>::get().is_some()
            };
        }
        with_level!(self, has, false) && (self != Self::Avx512Amx || Tiles::get().is_some())
    }

    /// Leave to use tiles, if the level has them.
    pub(crate) fn tiles(self) -> Option<Tiles> {
        Tiles::get().filter(|_| self == Self::Avx512Amx)
    }

    /// The level whose bits its results are: the scalar one, or itself where instructions round differently.
    pub const fn reference(self) -> Self {
        match self {
            Self::WasmSimd128 => self,
            _ => Self::Scalar,
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
    macro_rules! run {
        ($token:ty) => {
            <$token as Isa>::Plain::get()
                .expect("the level was checked at load")
                .run(op)
        };
    }
    with_level!(level, run, unreachable!("the level was checked at load"))
}

/// Whether the CPU's own prefetcher fetches one stream of weights, in order, faster than if each line is asked for.
///
/// Measured with one token of 1.5B Q4_K_M, GB/s a core: Zen 4 28, asking 20; Granite Rapids 10, asking 16. Not measured
/// on Arm.
pub(crate) fn streams_alone() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        let vendor = std::arch::x86_64::__cpuid(0);
        vendor.ebx != u32::from_le_bytes(*b"Genu")
    }
    #[cfg(not(target_arch = "x86_64"))]
    true
}
