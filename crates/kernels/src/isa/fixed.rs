//! What the compiler is to leave as it is written, on x86-64.
//!
//! Soundness: nothing is read or written; prefetching never faults, wherever it points.

#![allow(
    unsafe_code,
    reason = "one of the four rooms that may: see ARCHITECTURE.md"
)]
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "the argument above covers every block of this file"
)]
#![allow(
    clippy::pointers_in_nomem_asm_block,
    reason = "nothing is read through them there"
)]

use std::arch::asm;

/// The same pointer, in a register, of unknown origin.
#[inline(always)]
pub(super) fn hidden(mut p: *const u8) -> *const u8 {
    unsafe {
        asm!("/* {0} */", inout(reg) p, options(pure, nomem, nostack, preserves_flags));
    }
    p
}

/// Asks for the cache line at `p`, between what is written before and after: the compiler moves the intrinsic across
/// products, many together.
#[inline(always)]
pub(super) fn prefetch_here(p: *const u8) {
    unsafe {
        asm!("prefetcht1 [{0}]", in(reg) p, options(nomem, nostack, preserves_flags));
    }
}
