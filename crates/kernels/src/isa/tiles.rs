//! Tiles of sixteen tokens by sixteen rows (AMX-INT8): 16,384 multiplications in an instruction.
//!
//! A tile register holds 16 rows of 64 bytes. An activation tile is 16 tokens' next int8 values as they lie; a weight
//! tile is columns of a panel as they lie: four codes of each of 16 rows. (Intel, *Architecture Instruction Set
//! Extensions Programming Reference*, chapter 3; Linux, `Documentation/arch/x86/xstate.rst`.)
//!
//! Soundness: a [`Tiles`] exists only if the CPU has the instructions and the system lets this process use them. What
//! the registers' shapes are is the same for everybody, so instructions touch what the arrays that [`Ready::dot`]
//! borrows have been checked to hold. Without shapes, on a thread that let them go, the instructions fault.

#![allow(
    unsafe_code,
    reason = "one of the four rooms that may: see ARCHITECTURE.md"
)]
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "the argument above covers every block of this file"
)]

use std::marker::PhantomData;

use super::LANES;

/// Proof of AMX-INT8 and of the system's leave to use it.
#[derive(Clone, Copy)]
pub(crate) struct Tiles(());

impl Tiles {
    /// The proof, if there is one. Leave is asked for once, for all threads.
    pub(crate) fn get() -> Option<Self> {
        use std::sync::OnceLock;
        static MAY: OnceLock<bool> = OnceLock::new();
        MAY.get_or_init(may_use_tiles).then_some(Self(()))
    }

    /// Gives this thread's registers their shapes.
    #[inline(always)]
    pub(crate) fn ready(self) -> Ready {
        load_shapes();
        Ready(PhantomData)
    }
}

/// Tiles of this thread, until dropped: what they hold is dear to threads that take turns. One at a time.
pub(crate) struct Ready(PhantomData<*const ()>);

impl Drop for Ready {
    #[inline(always)]
    fn drop(&mut self) {
        release();
    }
}

impl Ready {
    /// `out[t][r] = Σ codes[k / 4][4r + k % 4] * x[t][at + k]` over `k < GROUP` (32 or 256); `x[t]` is taken for
    /// int8 values, codes for int8 if `SIGNED`.
    ///
    /// # Panics
    /// If the codes are not a group, or `x` has not that many bytes.
    #[inline(always)]
    pub(crate) fn dot<X, const GROUP: usize, const SIGNED: bool>(
        &self,
        x: &[X; LANES],
        at: usize,
        codes: &[[u8; 64]],
        out: &mut [[i32; LANES]; LANES],
    ) {
        assert!(codes.len() == GROUP / 4, "codes of a group");
        assert!(at + GROUP <= size_of::<X>(), "x has a group");
        let x = x.as_ptr().cast::<u8>().wrapping_add(at);
        multiply::<GROUP, SIGNED>(
            x,
            size_of::<X>(),
            codes.as_ptr().cast(),
            out.as_mut_ptr().cast(),
        );
    }
}

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
mod instructions {
    pub(super) fn may_use_tiles() -> bool {
        false
    }
    pub(super) fn load_shapes() {
        unreachable!("there is no proof of tiles")
    }
    pub(super) fn release() {}
    pub(super) fn multiply<const GROUP: usize, const SIGNED: bool>(
        _: *const u8,
        _: usize,
        _: *const u8,
        _: *mut u8,
    ) {
        unreachable!("there is no proof of tiles")
    }
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod instructions {
    use core::arch::asm;

    /// Asks the processor, then the system: a thread's state grows by 8 KiB, so Linux wants to be asked.
    pub(super) fn may_use_tiles() -> bool {
        const TILES_AND_INT8: u32 = 0b11 << 24;
        const ARCH_PRCTL: usize = 158;
        const REQ_XCOMP_PERM: usize = 0x1023;
        const TILE_DATA: usize = 18;
        let leaf_7 = std::arch::x86_64::__cpuid_count(7, 0);
        if std::arch::x86_64::__cpuid(0).eax < 7 || leaf_7.edx & TILES_AND_INT8 != TILES_AND_INT8 {
            return false;
        }
        let status: isize;
        unsafe {
            asm!(
                "syscall",
                inlateout("rax") ARCH_PRCTL => status,
                in("rdi") REQ_XCOMP_PERM,
                in("rsi") TILE_DATA,
                out("rcx") _,
                out("r11") _,
                options(nostack),
            );
        }
        status == 0
    }

    /// What `ldtilecfg` reads.
    #[repr(C, align(64))]
    struct Shapes {
        palette: u8,
        start_row: u8,
        reserved: [u8; 14],
        row_bytes: [u16; 16],
        rows: [u8; 16],
    }

    /// `tmm0`: sums. 1 and 2, 3 and 4: activations and codes of 32 and of 64 weights.
    static SHAPES: Shapes = Shapes {
        palette: 1,
        start_row: 0,
        reserved: [0; 14],
        row_bytes: [64, 32, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        rows: [16, 16, 8, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    };

    #[inline(always)]
    pub(super) fn load_shapes() {
        unsafe {
            asm!("ldtilecfg [{}]", in(reg) &raw const SHAPES, options(nostack, readonly, preserves_flags));
        }
    }

    #[inline(always)]
    pub(super) fn release() {
        unsafe { asm!("tilerelease", options(nostack, preserves_flags)) }
    }

    #[inline(always)]
    pub(super) fn multiply<const GROUP: usize, const SIGNED: bool>(
        x: *const u8,
        x_stride: usize,
        codes: *const u8,
        out: *mut u8,
    ) {
        macro_rules! tiles {
            ($($line:expr,)*) => {
                unsafe {
                    asm!(
                        "tilezero tmm0",
                        $($line,)*
                        "tilestored [{out} + {row}], tmm0",
                        x = in(reg) x,
                        x_stride = in(reg) x_stride,
                        codes = in(reg) codes,
                        row = in(reg) 64_usize,
                        out = in(reg) out,
                        options(nostack, preserves_flags),
                    )
                }
            };
        }
        macro_rules! multiply {
            ($product:literal) => {
                match GROUP {
                    32 => tiles!(
                        "tileloadd tmm1, [{x} + {x_stride}]",
                        "tileloadd tmm2, [{codes} + {row}]",
                        concat!($product, " tmm0, tmm1, tmm2"),
                    ),
                    256 => tiles!(
                        "tileloadd tmm3, [{x} + {x_stride}]",
                        "tileloadd tmm4, [{codes} + {row}]",
                        concat!($product, " tmm0, tmm3, tmm4"),
                        "tileloadd tmm3, [{x} + {x_stride} + 64]",
                        "tileloadd tmm4, [{codes} + {row} + 1024]",
                        concat!($product, " tmm0, tmm3, tmm4"),
                        "tileloadd tmm3, [{x} + {x_stride} + 128]",
                        "tileloadd tmm4, [{codes} + {row} + 2048]",
                        concat!($product, " tmm0, tmm3, tmm4"),
                        "tileloadd tmm3, [{x} + {x_stride} + 192]",
                        "tileloadd tmm4, [{codes} + {row} + 3072]",
                        concat!($product, " tmm0, tmm3, tmm4"),
                    ),
                    _ => unreachable!("groups are of 32 or 256"),
                }
            };
        }
        if SIGNED {
            multiply!("tdpbssd")
        } else {
            multiply!("tdpbsud")
        }
    }
}
use instructions::{load_shapes, may_use_tiles, multiply, release};
