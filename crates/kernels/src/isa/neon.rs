//! NEON, with or without int8 dot products: four registers per vector.
//!
//! Soundness: NEON is part of every 64-bit Arm; a token that has dot products exists only if `new` saw them; every load and store goes
//! through a reference to an array of the right size; no pointer outlives a call.

#![allow(unsafe_code, reason = "one of the rooms that may: see ARCHITECTURE.md")]
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "the argument above covers every block of this file"
)]

mod dot;

use std::arch::aarch64::*;
use std::arch::{asm, is_aarch64_feature_detected};

use super::{Isa, Op, Rows, quantize_each};

/// Proof of NEON, and of the dot products that `DOT` names.
#[derive(Clone, Copy)]
pub(crate) struct Arm<const DOT: u8>(());

pub(crate) type Neon = Arm<{ dot::NONE }>;
pub(crate) type NeonDotprod = Arm<{ dot::DOTPROD }>;
pub(crate) type NeonI8mm = Arm<{ dot::I8MM }>;

impl<const DOT: u8> Arm<DOT> {
    pub(crate) fn new() -> Option<Self> {
        let has = match DOT {
            dot::NONE => true,
            dot::DOTPROD => is_aarch64_feature_detected!("dotprod"),
            _ => is_aarch64_feature_detected!("i8mm"),
        };
        has.then_some(Self(()))
    }
}

type F = [float32x4_t; 4];
type V = [int32x4_t; 4];
type B = [uint8x16_t; 4];

/// `[e; 4]` with `I` from 0 to 3 in `e`. No closure: see `vector.rs`.
macro_rules! quarters {
    ($i:ident => $e:expr) => {
        [
            {
                const $i: usize = 0;
                $e
            },
            {
                const $i: usize = 1;
                $e
            },
            {
                const $i: usize = 2;
                $e
            },
            {
                const $i: usize = 3;
                $e
            },
        ]
    };
}

/// Operations on two vectors that are one instruction for each quarter.
macro_rules! lanewise {
    ($($name:ident: $vector:ty = $intrinsic:ident;)*) => {$(
        #[inline(always)]
        fn $name(self, a: $vector, b: $vector) -> $vector {
            quarters!(I => unsafe { $intrinsic(a[I], b[I]) })
        }
    )*};
}

/// Four words of each of four rows, transposed.
#[inline(always)]
fn transpose(a: [uint32x4_t; 4]) -> [uint8x16_t; 4] {
    unsafe {
        let (even01, odd01) = (vtrn1q_u32(a[0], a[1]), vtrn2q_u32(a[0], a[1]));
        let (even23, odd23) = (vtrn1q_u32(a[2], a[3]), vtrn2q_u32(a[2], a[3]));
        let even01 = vreinterpretq_u64_u32(even01);
        let even23 = vreinterpretq_u64_u32(even23);
        let odd01 = vreinterpretq_u64_u32(odd01);
        let odd23 = vreinterpretq_u64_u32(odd23);
        [
            vreinterpretq_u8_u64(vtrn1q_u64(even01, even23)),
            vreinterpretq_u8_u64(vtrn1q_u64(odd01, odd23)),
            vreinterpretq_u8_u64(vtrn2q_u64(even01, even23)),
            vreinterpretq_u8_u64(vtrn2q_u64(odd01, odd23)),
        ]
    }
}

#[inline(always)]
fn f16(h: uint16x4_t) -> float32x4_t {
    unsafe { vcvt_f32_f16(vreinterpret_f16_u16(h)) }
}

/// Where a register's four rows have their first bytes, each four times.
#[inline(always)]
fn of_row() -> uint8x16_t {
    unsafe {
        let words = [0, 0x0404_0404, 0x0808_0808, 0x0c0c_0c0c];
        vreinterpretq_u8_u32(vld1q_u32(words.as_ptr()))
    }
}

/// Nearest integers as int8, and their sum.
#[inline(always)]
fn quantize_one(x: F, out: &mut [i32; 4]) -> i32 {
    unsafe {
        let whole = quarters!(I => vcvtnq_s32_f32(x[I]));
        let low = vcombine_s16(vmovn_s32(whole[0]), vmovn_s32(whole[1]));
        let high = vcombine_s16(vmovn_s32(whole[2]), vmovn_s32(whole[3]));
        let bytes = vcombine_s8(vmovn_s16(low), vmovn_s16(high));
        vst1q_s32(out.as_mut_ptr(), vreinterpretq_s32_s8(bytes));
        vaddlvq_s16(vaddq_s16(low, high))
    }
}

impl<const DOT: u8> Isa for Arm<DOT> {
    type Plain = Self;
    type Bf16 = Self;
    type F32 = F;
    type I32 = V;
    type B64 = B;
    // A vector takes four of 32 registers: sums of two tokens and one set of codes fill them.
    const TOKENS: usize = 2;
    const WIDE_IS_SIGNED: bool = DOT != dot::I8MM;

    lanewise! {
        add: F = vaddq_f32;
        sub: F = vsubq_f32;
        mul: F = vmulq_f32;
        div: F = vdivq_f32;
        add_i32: V = vaddq_s32;
        and_i32: V = vandq_s32;
        or_i32: V = vorrq_s32;
        xor_i32: V = veorq_s32;
        mul_i32: V = vmulq_s32;
        and: B = vandq_u8;
        or: B = vorrq_u8;
        xor: B = veorq_u8;
        add8: B = vaddq_u8;
        sub8: B = vsubq_u8;
    }

    #[inline(always)]
    fn get() -> Option<Self> {
        Self::new()
    }
    #[inline(always)]
    fn run<O: Op>(self, op: O) -> O::Output {
        // Dot products are written as assembly, so nothing needs to be compiled with the features.
        op.eval(self)
    }

    #[inline(always)]
    fn splat(self, x: f32) -> F {
        unsafe { [vdupq_n_f32(x); 4] }
    }
    #[inline(always)]
    fn load(self, x: &[f32; 16]) -> F {
        quarters!(I => unsafe { vld1q_f32(x.as_ptr().add(4 * I)) })
    }
    #[inline(always)]
    fn store(self, x: F, out: &mut [f32; 16]) {
        quarters!(I => unsafe { vst1q_f32(out.as_mut_ptr().add(4 * I), x[I]) });
    }
    #[inline(always)]
    fn load_f16(self, x: &[u16; 16]) -> F {
        quarters!(I => unsafe { f16(vld1_u16(x.as_ptr().add(4 * I))) })
    }
    #[inline(always)]
    fn store_f16(self, x: F, out: &mut [u16; 16]) {
        quarters!(I => unsafe {
            let half = vreinterpret_u16_f16(vcvt_f16_f32(x[I]));
            vst1_u16(out.as_mut_ptr().add(4 * I), half)
        });
    }
    #[inline(always)]
    fn f32_bytes(self, x: &[u8; 64]) -> F {
        quarters!(I => unsafe { vreinterpretq_f32_u8(vld1q_u8(x.as_ptr().add(16 * I))) })
    }
    #[inline(always)]
    fn f16_bytes(self, x: &[u8; 32]) -> F {
        quarters!(I => unsafe { f16(vreinterpret_u16_u8(vld1_u8(x.as_ptr().add(8 * I)))) })
    }
    // x86's rule for both: the second operand unless the first is greater, or less.
    #[inline(always)]
    fn max(self, a: F, b: F) -> F {
        quarters!(I => unsafe { vbslq_f32(vcgtq_f32(a[I], b[I]), a[I], b[I]) })
    }
    #[inline(always)]
    fn min(self, a: F, b: F) -> F {
        quarters!(I => unsafe { vbslq_f32(vcltq_f32(a[I], b[I]), a[I], b[I]) })
    }
    #[inline(always)]
    fn abs(self, a: F) -> F {
        quarters!(I => unsafe { vabsq_f32(a[I]) })
    }
    #[inline(always)]
    fn mul_add(self, a: F, b: F, c: F) -> F {
        quarters!(I => unsafe { vfmaq_f32(c[I], a[I], b[I]) })
    }
    #[inline(always)]
    fn round(self, a: F) -> F {
        quarters!(I => unsafe { vrndnq_f32(a[I]) })
    }
    #[inline(always)]
    fn exp2_int(self, n: F) -> F {
        quarters!(I => unsafe {
            let exponent = vaddq_s32(vcvtq_s32_f32(n[I]), vdupq_n_s32(127));
            vreinterpretq_f32_s32(vshlq_n_s32::<23>(exponent))
        })
    }
    #[inline(always)]
    fn keep_ge(self, a: F, limit: f32, x: F) -> F {
        quarters!(I => unsafe {
            let keep = vcgeq_f32(a[I], vdupq_n_f32(limit));
            vreinterpretq_f32_u32(vandq_u32(keep, vreinterpretq_u32_f32(x[I])))
        })
    }
    #[inline(always)]
    fn sum(self, a: F) -> f32 {
        unsafe {
            let a = vaddq_f32(vaddq_f32(a[0], a[2]), vaddq_f32(a[1], a[3]));
            vpadds_f32(vadd_f32(vget_low_f32(a), vget_high_f32(a)))
        }
    }
    #[inline(always)]
    fn max_lane(self, a: F) -> f32 {
        unsafe { vmaxvq_f32(vmaxq_f32(vmaxq_f32(a[0], a[1]), vmaxq_f32(a[2], a[3]))) }
    }
    #[inline(always)]
    fn quantize(self, x: [F; 16], out: &mut [i32; 64]) -> [i32; 16] {
        quantize_each!(quantize_one, x, out)
    }

    #[inline(always)]
    fn zero(self) -> V {
        unsafe { [vdupq_n_s32(0); 4] }
    }
    #[inline(always)]
    fn as_f32(self, a: V) -> F {
        quarters!(I => unsafe { vreinterpretq_f32_s32(a[I]) })
    }
    #[inline(always)]
    fn to_f32(self, a: V) -> F {
        quarters!(I => unsafe { vcvtq_f32_s32(a[I]) })
    }

    #[inline(always)]
    fn columns(self, rows: &Rows<'_>, at: usize) -> [B; 4] {
        rows.check(at, 16);
        let columns = unsafe {
            let base = rows.data().as_ptr().add(at);
            // In range: the last row was checked.
            macro_rules! row {
                ($r:expr) => {
                    vreinterpretq_u32_u8(vld1q_u8(base.add(($r) * rows.stride())))
                };
            }
            quarters!(I => transpose([row!(4 * I), row!(4 * I + 1), row!(4 * I + 2), row!(4 * I + 3)]))
        };
        quarters!(C => quarters!(I => columns[I][C]))
    }
    #[inline(always)]
    fn words(self, rows: &Rows<'_>, at: usize) -> V {
        rows.check(at, 4);
        unsafe {
            let base = rows.data().as_ptr().add(at);
            // In range: the last row was checked.
            macro_rules! word {
                ($r:expr) => {
                    base.add(($r) * rows.stride())
                        .cast::<i32>()
                        .read_unaligned()
                };
            }
            quarters!(I => {
                let four = vdupq_n_s32(word!(4 * I));
                let four = vsetq_lane_s32::<1>(word!(4 * I + 1), four);
                let four = vsetq_lane_s32::<2>(word!(4 * I + 2), four);
                vsetq_lane_s32::<3>(word!(4 * I + 3), four)
            })
        }
    }
    #[inline(always)]
    fn halves(self, rows: &Rows<'_>, at: usize) -> F {
        rows.check(at, 2);
        unsafe {
            let base = rows.data().as_ptr().add(at);
            // In range: the last row was checked.
            macro_rules! half {
                ($r:expr) => {
                    base.add(($r) * rows.stride())
                        .cast::<u16>()
                        .read_unaligned()
                };
            }
            quarters!(I => {
                let four = vdup_n_u16(half!(4 * I));
                let four = vset_lane_u16::<1>(half!(4 * I + 1), four);
                let four = vset_lane_u16::<2>(half!(4 * I + 2), four);
                f16(vset_lane_u16::<3>(half!(4 * I + 3), four))
            })
        }
    }
    #[inline(always)]
    fn low_f16(self, a: V) -> F {
        quarters!(I => unsafe { f16(vmovn_u32(vreinterpretq_u32_s32(a[I]))) })
    }
    #[inline(always)]
    fn high_f16(self, a: V) -> F {
        quarters!(I => unsafe { f16(vshrn_n_u32::<16>(vreinterpretq_u32_s32(a[I]))) })
    }
    #[inline(always)]
    fn splat_i32(self, x: i32) -> V {
        unsafe { [vdupq_n_s32(x); 4] }
    }
    #[inline(always)]
    fn store_i32(self, a: V, out: &mut [i32; 16]) {
        quarters!(I => unsafe { vst1q_s32(out.as_mut_ptr().add(4 * I), a[I]) });
    }
    #[inline(always)]
    fn load_i32(self, x: &[i32; 16]) -> V {
        quarters!(I => unsafe { vld1q_s32(x.as_ptr().add(4 * I)) })
    }
    // Shifts take their count from a vector, negative for right: the compiler makes constants of it.
    #[inline(always)]
    fn shl_i32<const N: u32>(self, a: V) -> V {
        quarters!(I => unsafe { vshlq_s32(a[I], vdupq_n_s32(N as i32)) })
    }
    #[inline(always)]
    fn shr_i32<const N: u32>(self, a: V) -> V {
        quarters!(I => unsafe {
            let a = vreinterpretq_u32_s32(a[I]);
            vreinterpretq_s32_u32(vshlq_u32(a, vdupq_n_s32(-(N as i32))))
        })
    }
    #[inline(always)]
    fn sar_i32<const N: u32>(self, a: V) -> V {
        quarters!(I => unsafe { vshlq_s32(a[I], vdupq_n_s32(-(N as i32))) })
    }
    #[inline(always)]
    fn prefetch<T>(self, data: &[T], at: usize) {
        let address = data.as_ptr().wrapping_add(at);
        // Prefetching never faults, wherever it points.
        unsafe {
            asm!("prfm pldl2keep, [{}]", in(reg) address, options(nostack, readonly, preserves_flags));
        }
    }

    #[inline(always)]
    fn load_codes(self, x: &[u8; 64]) -> B {
        quarters!(I => unsafe { vld1q_u8(x.as_ptr().add(16 * I)) })
    }
    #[inline(always)]
    fn store_codes(self, a: B, out: &mut [u8; 64]) {
        quarters!(I => unsafe { vst1q_u8(out.as_mut_ptr().add(16 * I), a[I]) });
    }
    #[inline(always)]
    fn as_words(self, a: B) -> V {
        quarters!(I => unsafe { vreinterpretq_s32_u8(a[I]) })
    }
    #[inline(always)]
    fn as_bytes(self, a: V) -> B {
        quarters!(I => unsafe { vreinterpretq_u8_s32(a[I]) })
    }
    #[inline(always)]
    fn splat8(self, x: u8) -> B {
        unsafe { [vdupq_n_u8(x); 4] }
    }
    #[inline(always)]
    fn shr8<const N: u32>(self, a: B) -> B {
        quarters!(I => unsafe { vshlq_u8(a[I], vdupq_n_s8(-(N as i8))) })
    }
    #[inline(always)]
    fn shl8<const N: u32>(self, a: B) -> B {
        quarters!(I => unsafe { vshlq_u8(a[I], vdupq_n_s8(N as i8)) })
    }
    #[inline(always)]
    fn shr_words(self, a: B, n: u32) -> B {
        let n = unsafe { vdupq_n_s32(-(n as i32)) };
        quarters!(I => unsafe {
            vreinterpretq_u8_u32(vshlq_u32(vreinterpretq_u32_u8(a[I]), n))
        })
    }
    #[inline(always)]
    fn lookup16(self, table: &[u8; 16], a: B) -> B {
        let table = unsafe { vld1q_u8(table.as_ptr()) };
        quarters!(I => unsafe { vqtbl1q_u8(table, a[I]) })
    }
    #[inline(always)]
    fn lookup4(self, tables: V, a: B) -> B {
        quarters!(I => unsafe {
            // A table has 16 bytes, the tables of four rows.
            vqtbl1q_u8(vreinterpretq_u8_s32(tables[I]), vorrq_u8(a[I], of_row()))
        })
    }
    #[inline(always)]
    fn mask4(self, bits: V) -> B {
        quarters!(I => unsafe {
            // The lowest byte of each word four times, then one bit tested in each.
            let spread = vqtbl1q_u8(vreinterpretq_u8_s32(bits[I]), of_row());
            vtstq_u8(spread, vreinterpretq_u8_u32(vdupq_n_u32(0x0804_0201)))
        })
    }
    #[inline(always)]
    fn gather4<const N: usize>(self, table: &[[i8; 4]; N], index: V) -> B {
        const { assert!(N.is_power_of_two()) };
        let (mut at, mut found) = ([0; 16], [0; 16]);
        self.store_i32(index, &mut at);
        for i in 0..16 {
            let four = table[at[i] as usize & (N - 1)];
            found[i] = i32::from_le_bytes(four.map(|x| x as u8));
        }
        self.as_bytes(self.load_i32(&found))
    }
    #[inline(always)]
    fn gather8<const N: usize>(self, table: &[[i8; 8]; N], index: V) -> [B; 2] {
        const { assert!(N.is_power_of_two()) };
        let (mut at, mut low, mut high) = ([0; 16], [0; 16], [0; 16]);
        self.store_i32(index, &mut at);
        for i in 0..16 {
            let [a, b, c, d, e, f, g, h] = table[at[i] as usize & (N - 1)].map(|x| x as u8);
            low[i] = i32::from_le_bytes([a, b, c, d]);
            high[i] = i32::from_le_bytes([e, f, g, h]);
        }
        [low, high].map(|four| self.as_bytes(self.load_i32(&four)))
    }

    #[inline(always)]
    fn dot<const MAX: u8>(self, acc: V, w: [B; 4], x: &[i32; 4]) -> V {
        let x = unsafe { vreinterpretq_s8_s32(vld1q_s32(x.as_ptr())) };
        quarters!(I => {
            let w = [w[0][I], w[1][I], w[2][I], w[3][I]];
            unsafe { dot::quarter::<DOT, MAX>(acc[I], w, x) }
        })
    }
    #[inline(always)]
    fn dot_pairs(self, acc: V, a: V, x: i32) -> V {
        quarters!(I => unsafe {
            let (a, x) = (vreinterpretq_s16_s32(a[I]), vreinterpretq_s16_s32(vdupq_n_s32(x)));
            let low = vmull_s16(vget_low_s16(a), vget_low_s16(x));
            vaddq_s32(acc[I], vpaddq_s32(low, vmull_high_s16(a, x)))
        })
    }
}
