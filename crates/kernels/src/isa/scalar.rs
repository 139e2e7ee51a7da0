//! The scalar level: arrays and loops. Slow, obvious, and the specification of every other level.

use super::{Isa, LANES, Op, Rows, quantize_each};

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
fn bytes(a: [u8; 64], f: impl Fn(u8) -> u8) -> [u8; 64] {
    a.map(f)
}

#[inline(always)]
fn bytes2(a: [u8; 64], b: [u8; 64], f: impl Fn(u8, u8) -> u8) -> [u8; 64] {
    std::array::from_fn(|i| f(a[i], b[i]))
}

impl Isa for Scalar {
    type Plain = Self;
    type Bf16 = Self;
    type F32 = [f32; LANES];
    type I32 = [i32; LANES];
    type B64 = [u8; 64];
    const TOKENS: usize = 1;
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
    fn load_f16(self, x: &[u16; 16]) -> Self::F32 {
        map(*x, |h| half::f16::from_bits(h).to_f32())
    }
    #[inline(always)]
    fn store_f16(self, x: Self::F32, out: &mut [u16; 16]) {
        *out = map(x, |f| half::f16::from_f32(f).to_bits());
    }
    #[inline(always)]
    fn f32_bytes(self, x: &[u8; 64]) -> Self::F32 {
        let quads = x.as_chunks::<4>().0;
        std::array::from_fn(|i| f32::from_le_bytes(quads[i]))
    }
    #[inline(always)]
    fn f16_bytes(self, x: &[u8; 32]) -> Self::F32 {
        let pairs = x.as_chunks::<2>().0;
        std::array::from_fn(|i| half::f16::from_le_bytes(pairs[i]).to_f32())
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
    fn quantize(self, x: [Self::F32; 16], out: &mut [i32; 64]) -> [i32; 16] {
        let one = |x: [f32; LANES], out: &mut [i32; 4]| {
            let bytes = map(x, |x| x.round_ties_even() as i8);
            for (out, four) in out.iter_mut().zip(bytes.as_chunks::<4>().0) {
                *out = i32::from_le_bytes(four.map(|b| b as u8));
            }
            bytes.iter().map(|&b| i32::from(b)).sum()
        };
        quantize_each!(one, x, out)
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
    fn as_f32(self, a: Self::I32) -> Self::F32 {
        map(a, |a| f32::from_bits(a as u32))
    }
    #[inline(always)]
    fn to_f32(self, a: Self::I32) -> Self::F32 {
        map(a, |x| x as f32)
    }

    #[inline(always)]
    fn columns(self, rows: &Rows<'_>, at: usize) -> [Self::B64; 4] {
        rows.check(at, 16);
        let mut columns = [[0; 64]; 4];
        for r in 0..LANES {
            for (column, four) in columns
                .iter_mut()
                .zip(rows.bytes::<16>(r, at).as_chunks::<4>().0)
            {
                column[4 * r..4 * r + 4].copy_from_slice(four);
            }
        }
        columns
    }
    #[inline(always)]
    fn words(self, rows: &Rows<'_>, at: usize) -> Self::I32 {
        std::array::from_fn(|r| i32::from_le_bytes(*rows.bytes(r, at)))
    }
    #[inline(always)]
    fn halves(self, rows: &Rows<'_>, at: usize) -> Self::F32 {
        std::array::from_fn(|r| half::f16::from_le_bytes(*rows.bytes(r, at)).to_f32())
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
    fn xor_i32(self, a: Self::I32, b: Self::I32) -> Self::I32 {
        zip(a, b, |a, b| a ^ b)
    }
    #[inline(always)]
    fn mul_i32(self, a: Self::I32, b: Self::I32) -> Self::I32 {
        zip(a, b, i32::wrapping_mul)
    }
    #[inline(always)]
    fn store_i32(self, a: Self::I32, out: &mut [i32; 16]) {
        *out = a;
    }
    #[inline(always)]
    fn load_i32(self, x: &[i32; 16]) -> Self::I32 {
        *x
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
    fn prefetch<T>(self, _: &[T], _: usize) {}

    #[inline(always)]
    fn load_codes(self, x: &[u8; 64]) -> Self::B64 {
        *x
    }
    #[inline(always)]
    fn store_codes(self, a: Self::B64, out: &mut [u8; 64]) {
        *out = a;
    }
    #[inline(always)]
    fn as_words(self, a: Self::B64) -> Self::I32 {
        std::array::from_fn(|i| {
            i32::from_le_bytes([a[4 * i], a[4 * i + 1], a[4 * i + 2], a[4 * i + 3]])
        })
    }
    #[inline(always)]
    fn as_bytes(self, a: Self::I32) -> Self::B64 {
        std::array::from_fn(|i| a[i / 4].to_le_bytes()[i % 4])
    }
    #[inline(always)]
    fn splat8(self, x: u8) -> Self::B64 {
        [x; 64]
    }
    #[inline(always)]
    fn and(self, a: Self::B64, b: Self::B64) -> Self::B64 {
        bytes2(a, b, |a, b| a & b)
    }
    #[inline(always)]
    fn or(self, a: Self::B64, b: Self::B64) -> Self::B64 {
        bytes2(a, b, |a, b| a | b)
    }
    #[inline(always)]
    fn xor(self, a: Self::B64, b: Self::B64) -> Self::B64 {
        bytes2(a, b, |a, b| a ^ b)
    }
    #[inline(always)]
    fn add8(self, a: Self::B64, b: Self::B64) -> Self::B64 {
        bytes2(a, b, u8::wrapping_add)
    }
    #[inline(always)]
    fn sub8(self, a: Self::B64, b: Self::B64) -> Self::B64 {
        bytes2(a, b, u8::wrapping_sub)
    }
    #[inline(always)]
    fn shr8<const N: u32>(self, a: Self::B64) -> Self::B64 {
        bytes(a, |a| a >> N)
    }
    #[inline(always)]
    fn shl8<const N: u32>(self, a: Self::B64) -> Self::B64 {
        bytes(a, |a| a << N)
    }
    #[inline(always)]
    fn shr_words(self, a: Self::B64, n: u32) -> Self::B64 {
        self.as_bytes(map(self.as_words(a), |a| (a as u32 >> n) as i32))
    }
    #[inline(always)]
    fn lookup16(self, table: &[u8; 16], a: Self::B64) -> Self::B64 {
        bytes(a, |a| table[usize::from(a & 15)])
    }
    #[inline(always)]
    fn lookup4(self, tables: Self::I32, a: Self::B64) -> Self::B64 {
        std::array::from_fn(|i| tables[i / 4].to_le_bytes()[usize::from(a[i] & 3)])
    }
    #[inline(always)]
    fn mask4(self, bits: Self::I32) -> Self::B64 {
        std::array::from_fn(|i| {
            if bits[i / 4] >> (i % 4) & 1 == 1 {
                0xff
            } else {
                0
            }
        })
    }
    #[inline(always)]
    fn gather4<const N: usize>(self, table: &[[i8; 4]; N], index: Self::I32) -> Self::B64 {
        std::array::from_fn(|i| table[index[i / 4] as usize % N][i % 4] as u8)
    }
    #[inline(always)]
    fn gather8<const N: usize>(self, table: &[[i8; 8]; N], index: Self::I32) -> [Self::B64; 2] {
        let part =
            |j: usize| std::array::from_fn(|i| table[index[i / 4] as usize % N][j + i % 4] as u8);
        [part(0), part(4)]
    }

    #[inline(always)]
    fn dot<const MAX: u8>(self, mut acc: Self::I32, w: [Self::B64; 4], x: &[i32; 4]) -> Self::I32 {
        for (w, x) in w.iter().zip(x) {
            let x = x.to_le_bytes();
            for (i, code) in w.iter().enumerate() {
                acc[i / 4] += i32::from(*code) * i32::from(x[i % 4] as i8);
            }
        }
        acc
    }
    #[inline(always)]
    fn dot_pairs(self, acc: Self::I32, a: Self::I32, x: i32) -> Self::I32 {
        let product = |a: i32| i32::from(a as i16) * i32::from(x as i16) + (a >> 16) * (x >> 16);
        zip(acc, a, |acc, a| acc + product(a))
    }

    // -- attention ----------------------------------------------------------------------------
    #[inline(always)]
    fn to_i32(self, x: Self::F32) -> Self::I32 {
        map(x, |x| x.round_ties_even() as i32)
    }
    #[inline(always)]
    fn dot_four<const MAX: u8>(self, acc: Self::I32, w: Self::B64, x: Self::B64) -> Self::I32 {
        let product = |k: usize| i32::from(w[k]) * i32::from(x[k] as i8);
        std::array::from_fn(|i| acc[i] + (4 * i..4 * i + 4).map(product).sum::<i32>())
    }
}
