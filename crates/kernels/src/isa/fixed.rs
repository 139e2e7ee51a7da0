//! What the compiler is to leave as it is written, on x86-64.
//!
//! Soundness: nothing is read or written, and prefetching never faults, wherever it points; pointers that an instruction
//! gives back are those that it was given.

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

/// Asks for the cache line at `p` and gives `x` and `w` back: what is read through them is read after it, and what was
/// before. Unlike [`prefetch_here`] it is no barrier to anything else, so the compiler unrolls loops around it and loads
/// nothing too early: eight tokens of sums stay in registers.
#[inline(always)]
pub(super) fn prefetch_then<'x, 'w, X, W>(p: *const u8, x: &'x X, w: &'w [W]) -> (&'x X, &'w [W]) {
    let (mut x, mut first): (*const X, *const W) = (x, w.as_ptr());
    unsafe {
        asm!(
            "prefetcht1 [{0}] /* {1} {2} */",
            in(reg) p,
            inout(reg) x,
            inout(reg) first,
            options(pure, nomem, nostack, preserves_flags),
        );
        (&*x, std::slice::from_raw_parts(first, w.len()))
    }
}
