//! The scalar level: arrays and loops. Slow, obvious, and the specification of every other level.

use super::{Isa, LANES, Op};

/// Needs nothing of the CPU.
#[derive(Clone, Copy)]
pub(crate) struct Scalar;

#[inline(always)]
fn map<T: Copy, U>(a: [T; LANES], f: impl Fn(T) -> U) -> [U; LANES] {
    a.map(f)
}

#[inline(always)]
fn zip<T: Copy, U: Copy, V>(a: [T; LANES], b: [U; LANES], f: impl Fn(T, U) -> V) -> [V; LANES] {
    std::array::from_fn(|i| f(a[i], b[i]))
}

#[inline(always)]
fn bytes(a: [u8; 32], f: impl Fn(u8) -> u8) -> [u8; 32] {
    a.map(f)
}

#[inline(always)]
fn bytes2(a: [u8; 32], b: [u8; 32], f: impl Fn(u8, u8) -> u8) -> [u8; 32] {
    std::array::from_fn(|i| f(a[i], b[i]))
}

impl Isa for Scalar {
    type F32 = [f32; LANES];
    type I32 = [i32; LANES];
    type B32 = [u8; 32];
    type B64 = [u8; 64];
    const TOKENS: usize = 4;
    const WIDE_IS_SIGNED: bool = false;

    #[inline(always)]
    fn get() -> Option<Self> {
        Some(Self)
    }
    #[inline(always)]
    fn run<O: Op>(self, op: O) -> O::Output {
        op.eval(self)
    }

    #[inline(always)]
    fn splat(self, x: f32) -> Self::F32 {
        [x; LANES]
    }
    #[inline(always)]
    fn load(self, x: &[f32; 16]) -> Self::F32 {
        *x
    }
    #[inline(always)]
    fn store(self, x: Self::F32, out: &mut [f32; 16]) {
        *out = x;
    }
    #[inline(always)]
    fn f16(self, x: u16) -> f32 {
        half::f16::from_bits(x).to_f32()
    }
    #[inline(always)]
    fn load_f16(self, x: &[u16; 16]) -> Self::F32 {
        map(*x, |h| half::f16::from_bits(h).to_f32())
    }
    #[inline(always)]
    fn store_f16(self, x: Self::F32, out: &mut [u16; 16]) {
        *out = map(x, |f| half::f16::from_f32(f).to_bits());
    }
    #[inline(always)]
    fn load_bf16(self, x: &[u16; 16]) -> Self::F32 {
        map(*x, |h| f32::from_bits(u32::from(h) << 16))
    }
    #[inline(always)]
    fn add(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        zip(a, b, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        zip(a, b, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        zip(a, b, |a, b| a * b)
    }
    #[inline(always)]
    fn div(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        zip(a, b, |a, b| a / b)
    }
    #[inline(always)]
    fn max(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        // x86's rule: the second operand unless the first is greater.
        zip(a, b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    fn min(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        zip(a, b, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    fn abs(self, a: Self::F32) -> Self::F32 {
        map(a, f32::abs)
    }
    #[inline(always)]
    fn mul_add(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32 {
        std::array::from_fn(|i| a[i].mul_add(b[i], c[i]))
    }
    #[inline(always)]
    fn round(self, a: Self::F32) -> Self::F32 {
        map(a, f32::round_ties_even)
    }
    #[inline(always)]
    fn exp2_int(self, n: Self::F32) -> Self::F32 {
        map(n, |n| {
            f32::from_bits(((n as i32).wrapping_add(127) as u32) << 23)
        })
    }
    #[inline(always)]
    fn keep_ge(self, a: Self::F32, limit: f32, x: Self::F32) -> Self::F32 {
        zip(a, x, |a, x| if a >= limit { x } else { 0.0 })
    }
    #[inline(always)]
    fn sum(self, a: Self::F32) -> f32 {
        let mut a = a;
        for half in [8, 4, 2, 1] {
            for i in 0..half {
                a[i] += a[i + half];
            }
        }
        a[0]
    }
    #[inline(always)]
    fn max_lane(self, a: Self::F32) -> f32 {
        a.into_iter()
            .fold(f32::NEG_INFINITY, |m, x| if x > m { x } else { m })
    }
    #[inline(always)]
    fn store_i8(self, x: Self::F32, out: &mut [i8; 16]) {
        *out = map(x, |x| x.round_ties_even() as i8);
    }

    #[inline(always)]
    fn zero(self) -> Self::I32 {
        [0; LANES]
    }
    #[inline(always)]
    fn add_i32(self, a: Self::I32, b: Self::I32) -> Self::I32 {
        zip(a, b, i32::wrapping_add)
    }
    #[inline(always)]
    fn to_f32(self, a: Self::I32) -> Self::F32 {
        map(a, |x| x as f32)
    }

    #[inline(always)]
    fn gather(self, data: &[u8], offsets: &[u32; 16], at: usize) -> Self::I32 {
        map(*offsets, |offset| {
            let at = offset as usize + at;
            i32::from_le_bytes([data[at], data[at + 1], data[at + 2], data[at + 3]])
        })
    }
    #[inline(always)]
    fn low_f16(self, a: Self::I32) -> Self::F32 {
        map(a, |a| half::f16::from_bits(a as u16).to_f32())
    }
    #[inline(always)]
    fn high_f16(self, a: Self::I32) -> Self::F32 {
        map(a, |a| {
            half::f16::from_bits((a as u32 >> 16) as u16).to_f32()
        })
    }
    #[inline(always)]
    fn splat_i32(self, x: i32) -> Self::I32 {
        [x; LANES]
    }
    #[inline(always)]
    fn and_i32(self, a: Self::I32, b: Self::I32) -> Self::I32 {
        zip(a, b, |a, b| a & b)
    }
    #[inline(always)]
    fn or_i32(self, a: Self::I32, b: Self::I32) -> Self::I32 {
        zip(a, b, |a, b| a | b)
    }
    #[inline(always)]
    fn shl_i32<const N: u32>(self, a: Self::I32) -> Self::I32 {
        map(a, |a| a << N)
    }
    #[inline(always)]
    fn shr_i32<const N: u32>(self, a: Self::I32) -> Self::I32 {
        map(a, |a| (a as u32 >> N) as i32)
    }
    #[inline(always)]
    fn sar_i32<const N: u32>(self, a: Self::I32) -> Self::I32 {
        map(a, |a| a >> N)
    }
    #[inline(always)]
    fn prefetch(self, _: &[u8], _: usize) {}

    #[inline(always)]
    fn load32(self, x: &[u8; 32]) -> Self::B32 {
        *x
    }
    #[inline(always)]
    fn load16_twice(self, x: &[u8; 16]) -> Self::B32 {
        std::array::from_fn(|i| x[i % 16])
    }
    #[inline(always)]
    fn nibbles(self, x: &[u8; 16]) -> Self::B32 {
        std::array::from_fn(|i| if i < 16 { x[i] & 15 } else { x[i - 16] >> 4 })
    }
    #[inline(always)]
    fn splat8(self, x: u8) -> Self::B32 {
        [x; 32]
    }
    #[inline(always)]
    fn and(self, a: Self::B32, b: Self::B32) -> Self::B32 {
        bytes2(a, b, |a, b| a & b)
    }
    #[inline(always)]
    fn or(self, a: Self::B32, b: Self::B32) -> Self::B32 {
        bytes2(a, b, |a, b| a | b)
    }
    #[inline(always)]
    fn xor(self, a: Self::B32, b: Self::B32) -> Self::B32 {
        bytes2(a, b, |a, b| a ^ b)
    }
    #[inline(always)]
    fn add8(self, a: Self::B32, b: Self::B32) -> Self::B32 {
        bytes2(a, b, u8::wrapping_add)
    }
    #[inline(always)]
    fn sub8(self, a: Self::B32, b: Self::B32) -> Self::B32 {
        bytes2(a, b, u8::wrapping_sub)
    }
    #[inline(always)]
    fn shr8<const N: i32>(self, a: Self::B32) -> Self::B32 {
        bytes(a, |a| a >> N)
    }
    #[inline(always)]
    fn shl8<const N: i32>(self, a: Self::B32) -> Self::B32 {
        bytes(a, |a| a << N)
    }
    #[inline(always)]
    fn lookup16(self, table: &[u8; 16], a: Self::B32) -> Self::B32 {
        bytes(a, |a| table[usize::from(a & 15)])
    }
    #[inline(always)]
    fn mask32(self, bits: u32) -> Self::B32 {
        std::array::from_fn(|i| if bits >> i & 1 == 1 { 0xff } else { 0 })
    }
    #[inline(always)]
    fn store32(self, a: Self::B32, out: &mut [u8; 32]) {
        *out = a;
    }

    #[inline(always)]
    fn load64(self, x: &[i8; 64]) -> Self::B64 {
        x.map(|x| x as u8)
    }
    #[inline(always)]
    fn dot64<const WIDE: bool>(self, lo: Self::B32, hi: Self::B32, x: Self::B64) -> Self::I32 {
        let w = |i: usize| i32::from(if i < 32 { lo[i] } else { hi[i - 32] });
        std::array::from_fn(|i| {
            (4 * i..4 * i + 4)
                .map(|k| w(k) * i32::from(x[k] as i8))
                .sum()
        })
    }
    #[inline(always)]
    fn reduce4(self, rows: [Self::I32; 4]) -> Self::I32 {
        std::array::from_fn(|i| rows[i % 4][i / 4 * 4..][..4].iter().sum())
    }
    #[inline(always)]
    fn transpose_quarters(self, rows: [Self::I32; 4]) -> [Self::I32; 4] {
        std::array::from_fn(|q| std::array::from_fn(|row| rows[row / 4][4 * q + row % 4]))
    }
    #[inline(always)]
    fn load_codes(self, x: &[u8; 64]) -> Self::B64 {
        *x
    }
    #[inline(always)]
    fn dot_splat<const WIDE: bool>(self, acc: Self::I32, w: Self::B64, x: [i8; 4]) -> Self::I32 {
        std::array::from_fn(|i| {
            acc[i]
                + (0..4)
                    .map(|j| i32::from(w[4 * i + j]) * i32::from(x[j]))
                    .sum::<i32>()
        })
    }
    #[inline(always)]
    fn transpose_codes(self, rows: &[[u8; 64]; 16], out: &mut [[u8; 64]; 16]) {
        for (r, row) in rows.iter().enumerate() {
            for (g, group) in row.as_chunks::<4>().0.iter().enumerate() {
                out[g][4 * r..4 * r + 4].copy_from_slice(group);
            }
        }
    }
}
