//! WebAssembly's vectors of 128 bits: four registers per vector.
//!
//! A program with these instructions does not load where they are missing, so the level is part of the
//! build (`-C target-feature=+simd128`) and not detected. There is no fused multiply-add, and one put
//! together from doubles would take some thirty instructions: [`Isa::mul_add`] rounds twice here. This
//! level's results therefore differ from the others' by rounding; among themselves they are equal for
//! any batch. Half floats are converted with integer operations.
//!
//! Soundness: only loads and stores are unsafe, and each goes through a reference to an array of the
//! right size.

#![allow(unsafe_code, reason = "one of the rooms that may: see ARCHITECTURE.md")]
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "the argument above covers every block of this file"
)]

use std::arch::wasm32::*;

use super::{Isa, Op, Rows, quantize_each};

/// Needs nothing beyond the build.
#[derive(Clone, Copy)]
pub(crate) struct Simd128;

type V = [v128; 4];

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
    ($($name:ident = $intrinsic:ident;)*) => {$(
        #[inline(always)]
        fn $name(self, a: V, b: V) -> V {
            quarters!(I => $intrinsic(a[I], b[I]))
        }
    )*};
}

/// The `at`-th 16 bytes of an array.
#[inline(always)]
fn load<T, const N: usize>(x: &[T; N], at: usize) -> v128 {
    assert!((at + 1) * 16 <= size_of_val(x), "within the array");
    unsafe { v128_load(x.as_ptr().cast::<v128>().add(at)) }
}

#[inline(always)]
fn store<T, const N: usize>(x: v128, out: &mut [T; N], at: usize) {
    assert!((at + 1) * 16 <= size_of_val(out), "within the array");
    unsafe { v128_store(out.as_mut_ptr().cast::<v128>().add(at), x) }
}

/// f16 in the low halves of lanes whose high halves are zero.
#[inline(always)]
fn f16(h: v128) -> v128 {
    let sign = i32x4_shl(v128_and(h, i32x4_splat(0x8000)), 16);
    // The fields at f32's places, then the exponent's bias mended, which also makes denormals normal.
    let fields = i32x4_shl(v128_and(h, i32x4_splat(0x7fff)), 13);
    let scaled = f32x4_mul(fields, f32x4_splat(f32::from_bits((127 + 112) << 23)));
    let no_number = i32x4_ge(fields, i32x4_splat(0x7c00 << 13));
    let exponent = v128_and(no_number, i32x4_splat(0x7f80_0000));
    v128_or(v128_or(scaled, exponent), sign)
}

/// f32 to f16 in the low halves of lanes: rounds to nearest, ties to even.
#[inline(always)]
fn to_f16(x: v128) -> v128 {
    let sign = v128_and(x, i32x4_splat(i32::MIN));
    let x = v128_xor(x, sign);
    // Adding 0.5 leaves a denormal's bits in the mantissa, rounded by the addition.
    let half = f32x4_splat(0.5);
    let denormal = i32x4_sub(f32x4_add(x, half), half);
    // Otherwise: half a unit less one, and one more if the last bit kept is odd.
    let odd = v128_and(u32x4_shr(x, 13), i32x4_splat(1));
    let rounded = i32x4_add(i32x4_add(x, i32x4_splat((-112 << 23) + 0xfff)), odd);
    let normal = u32x4_shr(rounded, 13);
    let is_denormal = i32x4_lt(x, i32x4_splat(113 << 23));
    let finite = v128_bitselect(denormal, normal, is_denormal);
    let is_nan = i32x4_gt(x, i32x4_splat(0x7f80_0000));
    let beyond = v128_or(i32x4_splat(0x7c00), v128_and(is_nan, i32x4_splat(0x0200)));
    let is_finite = i32x4_lt(x, i32x4_splat((127 + 16) << 23));
    v128_or(
        v128_bitselect(finite, beyond, is_finite),
        u32x4_shr(sign, 16),
    )
}

/// Four words of each of four rows, transposed.
#[inline(always)]
fn transpose(a: V) -> V {
    let low01 = i32x4_shuffle::<0, 4, 1, 5>(a[0], a[1]);
    let high01 = i32x4_shuffle::<2, 6, 3, 7>(a[0], a[1]);
    let low23 = i32x4_shuffle::<0, 4, 1, 5>(a[2], a[3]);
    let high23 = i32x4_shuffle::<2, 6, 3, 7>(a[2], a[3]);
    [
        i64x2_shuffle::<0, 2>(low01, low23),
        i64x2_shuffle::<1, 3>(low01, low23),
        i64x2_shuffle::<0, 2>(high01, high23),
        i64x2_shuffle::<1, 3>(high01, high23),
    ]
}

/// Where a register's four rows have their first bytes, each four times.
const OF_ROW: v128 = i32x4(0, 0x0404_0404, 0x0808_0808, 0x0c0c_0c0c);

/// A quarter of [`Isa::dot`]: `w` widened to 16 bits meets `x` in sums of pairs.
#[inline(always)]
fn dot_quarter(acc: v128, w: V, x: V) -> v128 {
    let mut low = i32x4_dot_i16x8(u16x8_extend_low_u8x16(w[0]), x[0]);
    let mut high = i32x4_dot_i16x8(u16x8_extend_high_u8x16(w[0]), x[0]);
    for q in 1..4 {
        low = i32x4_add(low, i32x4_dot_i16x8(u16x8_extend_low_u8x16(w[q]), x[q]));
        high = i32x4_add(high, i32x4_dot_i16x8(u16x8_extend_high_u8x16(w[q]), x[q]));
    }
    let even = i32x4_shuffle::<0, 2, 4, 6>(low, high);
    let odd = i32x4_shuffle::<1, 3, 5, 7>(low, high);
    i32x4_add(acc, i32x4_add(even, odd))
}

/// Nearest integers as int8, and their sum.
#[inline(always)]
fn quantize_one(x: V, out: &mut [i32; 4]) -> i32 {
    let whole = quarters!(I => i32x4_trunc_sat_f32x4(f32x4_nearest(x[I])));
    let low = i16x8_narrow_i32x4(whole[0], whole[1]);
    let high = i16x8_narrow_i32x4(whole[2], whole[3]);
    store(i8x16_narrow_i16x8(low, high), out, 0);
    let sums = i32x4_extadd_pairwise_i16x8(i16x8_add(low, high));
    i32x4_extract_lane::<0>(sums)
        + i32x4_extract_lane::<1>(sums)
        + i32x4_extract_lane::<2>(sums)
        + i32x4_extract_lane::<3>(sums)
}

impl Isa for Simd128 {
    type Plain = Self;
    type Bf16 = Self;
    type F32 = V;
    type I32 = V;
    type B64 = V;
    const TOKENS: usize = 4;
    const WIDE_IS_SIGNED: bool = false;

    lanewise! {
        add = f32x4_add;
        sub = f32x4_sub;
        mul = f32x4_mul;
        div = f32x4_div;
        add_i32 = i32x4_add;
        and_i32 = v128_and;
        or_i32 = v128_or;
        xor_i32 = v128_xor;
        mul_i32 = i32x4_mul;
        and = v128_and;
        or = v128_or;
        xor = v128_xor;
        add8 = i8x16_add;
        sub8 = i8x16_sub;
    }

    #[inline(always)]
    fn get() -> Option<Self> {
        Some(Self)
    }
    #[inline(always)]
    fn run<O: Op>(self, op: O) -> O::Output {
        op.eval(self)
    }

    #[inline(always)]
    fn splat(self, x: f32) -> V {
        [f32x4_splat(x); 4]
    }
    #[inline(always)]
    fn load(self, x: &[f32; 16]) -> V {
        quarters!(I => load(x, I))
    }
    #[inline(always)]
    fn store(self, x: V, out: &mut [f32; 16]) {
        quarters!(I => store(x[I], out, I));
    }
    #[inline(always)]
    fn load_f16(self, x: &[u16; 16]) -> V {
        let (low, high) = (load(x, 0), load(x, 1));
        [
            f16(u32x4_extend_low_u16x8(low)),
            f16(u32x4_extend_high_u16x8(low)),
            f16(u32x4_extend_low_u16x8(high)),
            f16(u32x4_extend_high_u16x8(high)),
        ]
    }
    #[inline(always)]
    fn store_f16(self, x: V, out: &mut [u16; 16]) {
        store(u16x8_narrow_i32x4(to_f16(x[0]), to_f16(x[1])), out, 0);
        store(u16x8_narrow_i32x4(to_f16(x[2]), to_f16(x[3])), out, 1);
    }
    #[inline(always)]
    fn f32_bytes(self, x: &[u8; 64]) -> V {
        quarters!(I => load(x, I))
    }
    #[inline(always)]
    fn f16_bytes(self, x: &[u8; 32]) -> V {
        let (low, high) = (load(x, 0), load(x, 1));
        [
            f16(u32x4_extend_low_u16x8(low)),
            f16(u32x4_extend_high_u16x8(low)),
            f16(u32x4_extend_low_u16x8(high)),
            f16(u32x4_extend_high_u16x8(high)),
        ]
    }
    // x86's rule for both: the second operand unless the first is greater, or less.
    #[inline(always)]
    fn max(self, a: V, b: V) -> V {
        quarters!(I => f32x4_pmax(b[I], a[I]))
    }
    #[inline(always)]
    fn min(self, a: V, b: V) -> V {
        quarters!(I => f32x4_pmin(b[I], a[I]))
    }
    #[inline(always)]
    fn abs(self, a: V) -> V {
        quarters!(I => f32x4_abs(a[I]))
    }
    #[inline(always)]
    fn mul_add(self, a: V, b: V, c: V) -> V {
        quarters!(I => f32x4_add(f32x4_mul(a[I], b[I]), c[I]))
    }
    #[inline(always)]
    fn round(self, a: V) -> V {
        quarters!(I => f32x4_nearest(a[I]))
    }
    #[inline(always)]
    fn exp2_int(self, n: V) -> V {
        quarters!(I => {
            let exponent = i32x4_add(i32x4_trunc_sat_f32x4(n[I]), i32x4_splat(127));
            i32x4_shl(exponent, 23)
        })
    }
    #[inline(always)]
    fn keep_ge(self, a: V, limit: f32, x: V) -> V {
        quarters!(I => v128_and(f32x4_ge(a[I], f32x4_splat(limit)), x[I]))
    }
    #[inline(always)]
    fn sum(self, a: V) -> f32 {
        let a = f32x4_add(f32x4_add(a[0], a[2]), f32x4_add(a[1], a[3]));
        let a = f32x4_add(a, i32x4_shuffle::<2, 3, 2, 3>(a, a));
        f32x4_extract_lane::<0>(a) + f32x4_extract_lane::<1>(a)
    }
    #[inline(always)]
    fn max_lane(self, a: V) -> f32 {
        let a = f32x4_pmax(f32x4_pmax(a[0], a[2]), f32x4_pmax(a[1], a[3]));
        let a = f32x4_pmax(a, i32x4_shuffle::<2, 3, 2, 3>(a, a));
        let a = f32x4_pmax(a, i32x4_shuffle::<1, 1, 1, 1>(a, a));
        f32x4_extract_lane::<0>(a)
    }
    #[inline(always)]
    fn quantize(self, x: [V; 16], out: &mut [i32; 64]) -> [i32; 16] {
        quantize_each!(quantize_one, x, out)
    }

    #[inline(always)]
    fn zero(self) -> V {
        [i32x4_splat(0); 4]
    }
    #[inline(always)]
    fn as_f32(self, a: V) -> V {
        a
    }
    #[inline(always)]
    fn to_f32(self, a: V) -> V {
        quarters!(I => f32x4_convert_i32x4(a[I]))
    }

    #[inline(always)]
    fn columns(self, rows: &Rows<'_>, at: usize) -> [V; 4] {
        macro_rules! row {
            ($r:expr) => {
                load(rows.bytes::<16>($r, at), 0)
            };
        }
        let columns = quarters!(I => transpose([row!(4 * I), row!(4 * I + 1), row!(4 * I + 2), row!(4 * I + 3)]));
        quarters!(C => quarters!(I => columns[I][C]))
    }
    #[inline(always)]
    fn words(self, rows: &Rows<'_>, at: usize) -> V {
        let mut words = [0; 16];
        for r in 0..16 {
            words[r] = i32::from_le_bytes(*rows.bytes(r, at));
        }
        self.load_i32(&words)
    }
    #[inline(always)]
    fn halves(self, rows: &Rows<'_>, at: usize) -> V {
        let mut halves = [0; 16];
        for r in 0..16 {
            halves[r] = u16::from_le_bytes(*rows.bytes(r, at));
        }
        self.load_f16(&halves)
    }
    #[inline(always)]
    fn low_f16(self, a: V) -> V {
        quarters!(I => f16(v128_and(a[I], i32x4_splat(0xffff))))
    }
    #[inline(always)]
    fn high_f16(self, a: V) -> V {
        quarters!(I => f16(u32x4_shr(a[I], 16)))
    }
    #[inline(always)]
    fn splat_i32(self, x: i32) -> V {
        [i32x4_splat(x); 4]
    }
    #[inline(always)]
    fn store_i32(self, a: V, out: &mut [i32; 16]) {
        quarters!(I => store(a[I], out, I));
    }
    #[inline(always)]
    fn load_i32(self, x: &[i32; 16]) -> V {
        quarters!(I => load(x, I))
    }
    #[inline(always)]
    fn shl_i32<const N: u32>(self, a: V) -> V {
        quarters!(I => i32x4_shl(a[I], N))
    }
    #[inline(always)]
    fn shr_i32<const N: u32>(self, a: V) -> V {
        quarters!(I => u32x4_shr(a[I], N))
    }
    #[inline(always)]
    fn sar_i32<const N: u32>(self, a: V) -> V {
        quarters!(I => i32x4_shr(a[I], N))
    }
    #[inline(always)]
    fn prefetch<T>(self, _: &[T], _: usize) {}

    #[inline(always)]
    fn load_codes(self, x: &[u8; 64]) -> V {
        quarters!(I => load(x, I))
    }
    #[inline(always)]
    fn store_codes(self, a: V, out: &mut [u8; 64]) {
        quarters!(I => store(a[I], out, I));
    }
    #[inline(always)]
    fn as_words(self, a: V) -> V {
        a
    }
    #[inline(always)]
    fn as_bytes(self, a: V) -> V {
        a
    }
    #[inline(always)]
    fn splat8(self, x: u8) -> V {
        [u8x16_splat(x); 4]
    }
    #[inline(always)]
    fn shr8<const N: u32>(self, a: V) -> V {
        quarters!(I => u8x16_shr(a[I], N))
    }
    #[inline(always)]
    fn shl8<const N: u32>(self, a: V) -> V {
        quarters!(I => i8x16_shl(a[I], N))
    }
    #[inline(always)]
    fn shr_words(self, a: V, n: u32) -> V {
        quarters!(I => u32x4_shr(a[I], n))
    }
    #[inline(always)]
    fn lookup16(self, table: &[u8; 16], a: V) -> V {
        let table = load(table, 0);
        quarters!(I => i8x16_swizzle(table, a[I]))
    }
    #[inline(always)]
    fn lookup4(self, tables: V, a: V) -> V {
        // A swizzle sees 16 bytes, the tables of four rows.
        quarters!(I => i8x16_swizzle(tables[I], v128_or(a[I], OF_ROW)))
    }
    #[inline(always)]
    fn mask4(self, bits: V) -> V {
        // The lowest byte of each word four times, then one bit tested in each.
        let bit = i32x4_splat(0x0804_0201);
        quarters!(I => i8x16_eq(v128_and(i8x16_swizzle(bits[I], OF_ROW), bit), bit))
    }
    #[inline(always)]
    fn gather4<const N: usize>(self, table: &[[i8; 4]; N], index: V) -> V {
        const { assert!(N.is_power_of_two()) };
        let (mut at, mut found) = ([0; 16], [[0; 4]; 16]);
        self.store_i32(index, &mut at);
        for i in 0..16 {
            found[i] = table[at[i] as usize & (N - 1)];
        }
        quarters!(I => load(&found, I))
    }
    #[inline(always)]
    fn gather8<const N: usize>(self, table: &[[i8; 8]; N], index: V) -> [V; 2] {
        const { assert!(N.is_power_of_two()) };
        let (mut at, mut low, mut high) = ([0; 16], [[0; 4]; 16], [[0; 4]; 16]);
        self.store_i32(index, &mut at);
        for i in 0..16 {
            let [a, b, c, d, e, f, g, h] = table[at[i] as usize & (N - 1)];
            low[i] = [a, b, c, d];
            high[i] = [e, f, g, h];
        }
        [
            quarters!(I => load(&low, I)),
            quarters!(I => load(&high, I)),
        ]
    }

    #[inline(always)]
    fn dot<const MAX: u8>(self, acc: V, w: [V; 4], x: &[i32; 4]) -> V {
        let x = quarters!(Q => i16x8_extend_low_i8x16(i32x4_splat(x[Q])));
        quarters!(I => dot_quarter(acc[I], [w[0][I], w[1][I], w[2][I], w[3][I]], x))
    }
    #[inline(always)]
    fn dot_pairs(self, acc: V, a: V, x: i32) -> V {
        let x = i32x4_splat(x);
        quarters!(I => i32x4_add(acc[I], i32x4_dot_i16x8(a[I], x)))
    }
}
