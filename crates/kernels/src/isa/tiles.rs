//! Tiles of sixteen tokens by sixteen rows (AMX-INT8): 16,384 multiplications in an instruction.
//!
//! A tile register holds 16 rows of 64 bytes. An activation tile is 16 tokens' next int8 values as they lie; a weight
//! tile is columns of a panel as they lie: four codes of each of 16 rows. (Intel, *Architecture Instruction Set
//! Extensions Programming Reference*, chapter 3; Linux, `Documentation/arch/x86/xstate.rst`.)
//!
//! Soundness: a [`Tiles`] exists only if the CPU has the instructions and the system lets this process use them. Registers
//! have the shapes of [`Ready`] or of [`ReadyForPlanes`] while one of these exists on a thread, and a thread has one at a
//! time ([`Shaped`] sees to it), so instructions touch what the arrays that they borrow have been checked to hold. Without
//! shapes the instructions fault.

#![allow(
    unsafe_code,
    reason = "one of the four rooms that may: see ARCHITECTURE.md"
)]
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "the argument above covers every block of this file"
)]

use std::cell::Cell;
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
        Ready(Shaped::by(load_shapes))
    }

    /// The same, all of them of 16 rows of 64 bytes.
    #[inline(always)]
    pub(crate) fn ready_for_planes(self) -> ReadyForPlanes {
        ReadyForPlanes(Shaped::by(load_whole_shapes))
    }
}

/// A thread's registers with some shapes, until dropped: what they hold is dear to threads that take turns.
struct Shaped(PhantomData<*const ()>);

thread_local! {
    /// Whether there is one on this thread.
    static SHAPED: Cell<bool> = const { Cell::new(false) };
}

impl Shaped {
    /// Has `load` give them their shapes.
    ///
    /// # Panics
    /// If they have some already.
    #[inline(always)]
    fn by(load: fn()) -> Self {
        assert!(!SHAPED.replace(true), "registers have one shape at a time");
        load();
        Self(PhantomData)
    }
}

impl Drop for Shaped {
    #[inline(always)]
    fn drop(&mut self) {
        release();
        SHAPED.set(false);
    }
}

/// Tiles of this thread for sums in two planes.
pub(crate) struct ReadyForPlanes(Shaped);

impl ReadyForPlanes {
    /// Begins sums.
    #[inline(always)]
    pub(crate) fn clear(&self) {
        clear_planes();
    }

    /// Adds `Σ plane[k / 4][4r + k % 4] * x[i][t][k]` over the `quarter`-th 64 of 256 numbers to the sums `[i][plane][t][r]`,
    /// `low` and `high` being the planes; all are taken for int8.
    ///
    /// # Panics
    /// If there is no such quarter.
    #[inline(always)]
    pub(crate) fn multiply<X>(
        &self,
        x: [&[X; LANES]; 2],
        low: &[[u8; 64]; 64],
        high: &[[u8; 64]; 64],
        quarter: usize,
    ) {
        const { assert!(size_of::<X>() >= 256, "256 numbers") };
        assert!(quarter < 4, "a step has four quarters");
        multiply_planes(
            x[0].as_ptr().cast::<u8>().wrapping_add(64 * quarter),
            x[1].as_ptr().cast::<u8>().wrapping_add(64 * quarter),
            size_of::<X>(),
            low[16 * quarter..].as_ptr().cast(),
            high[16 * quarter..].as_ptr().cast(),
        );
    }

    /// The sums.
    #[inline(always)]
    pub(crate) fn store(&self, out: &mut [[[[i32; LANES]; LANES]; 2]; 2]) {
        store_planes(out.as_mut_ptr().cast());
    }
}

/// Tiles of this thread for sums of groups.
pub(crate) struct Ready(Shaped);

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
    pub(super) fn load_whole_shapes() {
        unreachable!("there is no proof of tiles")
    }
    pub(super) fn clear_planes() {
        unreachable!("there is no proof of tiles")
    }
    pub(super) fn multiply_planes(
        _: *const u8,
        _: *const u8,
        _: usize,
        _: *const u8,
        _: *const u8,
    ) {
        unreachable!("there is no proof of tiles")
    }
    pub(super) fn store_planes(_: *mut u8) {
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

    static WHOLE_SHAPES: Shapes = Shapes {
        palette: 1,
        start_row: 0,
        reserved: [0; 14],
        row_bytes: [64, 64, 64, 64, 64, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0],
        rows: [16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0],
    };

    #[inline(always)]
    pub(super) fn load_whole_shapes() {
        unsafe {
            asm!("ldtilecfg [{}]", in(reg) &raw const WHOLE_SHAPES, options(nostack, readonly, preserves_flags));
        }
    }

    #[inline(always)]
    pub(super) fn clear_planes() {
        unsafe {
            asm!(
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                options(nostack, nomem, preserves_flags),
            )
        }
    }

    /// Four sums under way: a product waits three times as long for its sum as for the next product.
    #[inline(always)]
    pub(super) fn multiply_planes(
        x: *const u8,
        more_x: *const u8,
        x_stride: usize,
        low: *const u8,
        high: *const u8,
    ) {
        unsafe {
            asm!(
                "tileloadd tmm4, [{x} + {x_stride}]",
                "tileloadd tmm6, [{low} + {row}]",
                "tdpbssd tmm0, tmm4, tmm6",
                "tileloadd tmm7, [{high} + {row}]",
                "tdpbssd tmm1, tmm4, tmm7",
                "tileloadd tmm5, [{more_x} + {x_stride}]",
                "tdpbssd tmm2, tmm5, tmm6",
                "tdpbssd tmm3, tmm5, tmm7",
                x = in(reg) x,
                more_x = in(reg) more_x,
                x_stride = in(reg) x_stride,
                low = in(reg) low,
                high = in(reg) high,
                row = in(reg) 64_usize,
                options(nostack, readonly, preserves_flags),
            )
        }
    }

    #[inline(always)]
    pub(super) fn store_planes(out: *mut u8) {
        unsafe {
            asm!(
                "tilestored [{out} + {row}], tmm0",
                "tilestored [{out} + {row} + 1024], tmm1",
                "tilestored [{out} + {row} + 2048], tmm2",
                "tilestored [{out} + {row} + 3072], tmm3",
                out = in(reg) out,
                row = in(reg) 64_usize,
                options(nostack, preserves_flags),
            )
        }
    }

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
use instructions::{
    clear_planes, load_shapes, load_whole_shapes, may_use_tiles, multiply, multiply_planes,
    release, store_planes,
};
