//! AVX2 with FMA and F16C, with or without VNNI: two registers per vector.
//!
//! Soundness: a token exists only if `new` saw every feature used here, so each intrinsic may run;
//! every load and store goes through a reference to an array of the right size; no pointer outlives a call.

#![allow(
    unsafe_code,
    reason = "one of the four rooms that may: see ARCHITECTURE.md"
)]
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "the argument above covers every block of this file"
)]

mod dot;
mod gather;

use std::arch::x86_64::*;

use super::{Isa, Op, Rows, fixed, quantize_each};

/// Proof of AVX2, FMA and F16C, and of VNNI on 256 bits if `VNNI`.
#[derive(Clone, Copy)]
pub(crate) struct Avx2<const VNNI: bool>(());

impl<const VNNI: bool> Avx2<VNNI> {
    pub(crate) fn new() -> Option<Self> {
        let base = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c");
        (base && (!VNNI || dot::has_vnni())).then_some(Self(()))
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
fn enter<O: Op>(token: Avx2<false>, op: O) -> O::Output {
    op.eval(token)
}

#[cfg_attr(not(evex_vnni), target_feature(enable = "avx2,fma,f16c,avxvnni"))]
#[cfg_attr(
    evex_vnni,
    target_feature(enable = "avx2,fma,f16c,avx512vnni,avx512vl")
)]
fn enter_vnni<O: Op>(token: Avx2<true>, op: O) -> O::Output {
    op.eval(token)
}

type F = [__m256; 2];
type V = [__m256i; 2];

/// Four rows' 16 bytes in each half, transposed in words.
#[inline(always)]
fn columns_half(a: [__m256i; 4]) -> [__m256i; 4] {
    unsafe {
        let (lo01, hi01) = (
            _mm256_unpacklo_epi32(a[0], a[1]),
            _mm256_unpackhi_epi32(a[0], a[1]),
        );
        let (lo23, hi23) = (
            _mm256_unpacklo_epi32(a[2], a[3]),
            _mm256_unpackhi_epi32(a[2], a[3]),
        );
        [
            _mm256_unpacklo_epi64(lo01, lo23),
            _mm256_unpackhi_epi64(lo01, lo23),
            _mm256_unpacklo_epi64(hi01, hi23),
            _mm256_unpackhi_epi64(hi01, hi23),
        ]
    }
}

/// The place of each word in its 16 bytes, in every byte of it.
#[inline(always)]
fn each_row_of_four() -> __m256i {
    unsafe {
        let four = _mm_setr_epi32(0, 0x0404_0404, 0x0808_0808, 0x0c0c_0c0c);
        _mm256_broadcastsi128_si256(four)
    }
}

#[inline(always)]
fn mask4_half(bits: __m256i) -> __m256i {
    unsafe {
        // The lowest byte of each word four times, then one bit tested in each.
        let lowest = each_row_of_four();
        let bit = _mm256_set1_epi32(0x0804_0201);
        let spread = _mm256_shuffle_epi8(bits, lowest);
        _mm256_cmpeq_epi8(_mm256_and_si256(spread, bit), bit)
    }
}

#[inline(always)]
fn exp2_half(n: __m256) -> __m256 {
    unsafe {
        let exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
        _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent))
    }
}

/// Eight f16, each in the low half of a lane whose high half is zero.
#[inline(always)]
fn f16_half(a: __m256i) -> __m256 {
    unsafe {
        let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packus_epi32(a, a));
        _mm256_cvtph_ps(_mm256_castsi256_si128(words))
    }
}

#[inline(always)]
fn load_pair(x: &[u8; 64]) -> V {
    unsafe {
        [
            _mm256_loadu_si256(x.as_ptr().cast()),
            _mm256_loadu_si256(x[32..].as_ptr().cast()),
        ]
    }
}

/// Operations on two vectors that are one instruction for each half.
macro_rules! lanewise {
    ($($name:ident: $vector:ty = $intrinsic:ident;)*) => {$(
        #[inline(always)]
        fn $name(self, a: $vector, b: $vector) -> $vector {
            unsafe { [$intrinsic(a[0], b[0]), $intrinsic(a[1], b[1])] }
        }
    )*};
    ($($name:ident<N> = $intrinsic:ident;)*) => {$(
        #[inline(always)]
        fn $name<const N: u32>(self, a: V) -> V {
            unsafe {
                let n = _mm_cvtsi32_si128(N as i32);
                [$intrinsic(a[0], n), $intrinsic(a[1], n)]
            }
        }
    )*};
}

/// Nearest integers as int8, and their sum.
#[inline(always)]
fn quantize_one(x: F, out: &mut [i32; 4]) -> i32 {
    unsafe {
        let (a, b) = (_mm256_cvtps_epi32(x[0]), _mm256_cvtps_epi32(x[1]));
        // packs works within 128-bit halves: put the quarters back in order afterwards.
        let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi32(a, b));
        let low = _mm256_castsi256_si128(words);
        let bytes = _mm_packs_epi16(low, _mm256_extracti128_si256::<1>(words));
        _mm_storeu_si128(out.as_mut_ptr().cast(), bytes);
        let sums = _mm256_add_epi32(a, b);
        let sums = _mm_add_epi32(
            _mm256_castsi256_si128(sums),
            _mm256_extracti128_si256::<1>(sums),
        );
        let sums = _mm_add_epi32(sums, _mm_shuffle_epi32::<0b00_00_11_10>(sums));
        let sums = _mm_add_epi32(sums, _mm_shuffle_epi32::<0b00_00_00_01>(sums));
        _mm_cvtsi128_si32(sums)
    }
}

impl<const VNNI: bool> Isa for Avx2<VNNI> {
    type Plain = Self;
    type Bf16 = Self;
    type F32 = F;
    type I32 = V;
    type B64 = V;
    const TOKENS: usize = 4;
    const WIDE_IS_SIGNED: bool = !VNNI;

    #[inline(always)]
    fn to_f32(self, a: V) -> F {
        unsafe { [_mm256_cvtepi32_ps(a[0]), _mm256_cvtepi32_ps(a[1])] }
    }
    #[inline(always)]
    fn as_f32(self, a: V) -> F {
        unsafe { [_mm256_castsi256_ps(a[0]), _mm256_castsi256_ps(a[1])] }
    }
    lanewise! {
        shl_i32<N> = _mm256_sll_epi32;
        shr_i32<N> = _mm256_srl_epi32;
        sar_i32<N> = _mm256_sra_epi32;
    }
    lanewise! {
        add: F = _mm256_add_ps;
        sub: F = _mm256_sub_ps;
        mul: F = _mm256_mul_ps;
        div: F = _mm256_div_ps;
        max: F = _mm256_max_ps;
        min: F = _mm256_min_ps;
        add_i32: V = _mm256_add_epi32;
        and_i32: V = _mm256_and_si256;
        or_i32: V = _mm256_or_si256;
        mul_i32: V = _mm256_mullo_epi32;
        and: V = _mm256_and_si256;
        or: V = _mm256_or_si256;
        xor: V = _mm256_xor_si256;
        add8: V = _mm256_add_epi8;
        sub8: V = _mm256_sub_epi8;
    }

    #[inline(always)]
    fn get() -> Option<Self> {
        Self::new()
    }
    #[inline(always)]
    fn run<O: Op>(self, op: O) -> O::Output {
        if VNNI {
            unsafe { enter_vnni(Avx2(()), op) }
        } else {
            unsafe { enter(Avx2(()), op) }
        }
    }

    #[inline(always)]
    fn splat(self, x: f32) -> F {
        unsafe { [_mm256_set1_ps(x); 2] }
    }
    #[inline(always)]
    fn load(self, x: &[f32; 16]) -> F {
        unsafe {
            [
                _mm256_loadu_ps(x.as_ptr()),
                _mm256_loadu_ps(x[8..].as_ptr()),
            ]
        }
    }
    #[inline(always)]
    fn store(self, x: F, out: &mut [f32; 16]) {
        unsafe {
            _mm256_storeu_ps(out.as_mut_ptr(), x[0]);
            _mm256_storeu_ps(out[8..].as_mut_ptr(), x[1]);
        }
    }
    #[inline(always)]
    fn load_f16(self, x: &[u16; 16]) -> F {
        unsafe {
            [
                _mm256_cvtph_ps(_mm_loadu_si128(x.as_ptr().cast())),
                _mm256_cvtph_ps(_mm_loadu_si128(x[8..].as_ptr().cast())),
            ]
        }
    }
    #[inline(always)]
    fn store_f16(self, x: F, out: &mut [u16; 16]) {
        unsafe {
            let lo = _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(x[0]);
            let hi = _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(x[1]);
            _mm_storeu_si128(out.as_mut_ptr().cast(), lo);
            _mm_storeu_si128(out[8..].as_mut_ptr().cast(), hi);
        }
    }
    #[inline(always)]
    fn f32_bytes(self, x: &[u8; 64]) -> F {
        unsafe {
            [
                _mm256_loadu_ps(x.as_ptr().cast()),
                _mm256_loadu_ps(x[32..].as_ptr().cast()),
            ]
        }
    }
    #[inline(always)]
    fn f16_bytes(self, x: &[u8; 32]) -> F {
        unsafe {
            [
                _mm256_cvtph_ps(_mm_loadu_si128(x.as_ptr().cast())),
                _mm256_cvtph_ps(_mm_loadu_si128(x[16..].as_ptr().cast())),
            ]
        }
    }
    #[inline(always)]
    fn abs(self, a: F) -> F {
        unsafe {
            let sign = _mm256_set1_ps(-0.0);
            [_mm256_andnot_ps(sign, a[0]), _mm256_andnot_ps(sign, a[1])]
        }
    }
    #[inline(always)]
    fn mul_add(self, a: F, b: F, c: F) -> F {
        unsafe {
            [
                _mm256_fmadd_ps(a[0], b[0], c[0]),
                _mm256_fmadd_ps(a[1], b[1], c[1]),
            ]
        }
    }
    #[inline(always)]
    fn round(self, a: F) -> F {
        unsafe {
            const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
            [
                _mm256_round_ps::<NEAREST>(a[0]),
                _mm256_round_ps::<NEAREST>(a[1]),
            ]
        }
    }
    #[inline(always)]
    fn exp2_int(self, n: F) -> F {
        [exp2_half(n[0]), exp2_half(n[1])]
    }
    #[inline(always)]
    fn keep_ge(self, a: F, limit: f32, x: F) -> F {
        unsafe {
            let limit = _mm256_set1_ps(limit);
            [
                _mm256_and_ps(_mm256_cmp_ps::<_CMP_GE_OQ>(a[0], limit), x[0]),
                _mm256_and_ps(_mm256_cmp_ps::<_CMP_GE_OQ>(a[1], limit), x[1]),
            ]
        }
    }
    #[inline(always)]
    fn sum(self, a: F) -> f32 {
        unsafe {
            let a = _mm256_add_ps(a[0], a[1]);
            let a = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let a = _mm_add_ps(a, _mm_movehl_ps(a, a));
            _mm_cvtss_f32(_mm_add_ss(a, _mm_movehdup_ps(a)))
        }
    }
    #[inline(always)]
    fn max_lane(self, a: F) -> f32 {
        unsafe {
            let a = _mm256_max_ps(a[0], a[1]);
            let a = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let a = _mm_max_ps(a, _mm_movehl_ps(a, a));
            _mm_cvtss_f32(_mm_max_ss(a, _mm_movehdup_ps(a)))
        }
    }
    #[inline(always)]
    fn quantize(self, x: [F; 16], out: &mut [i32; 64]) -> [i32; 16] {
        quantize_each!(quantize_one, x, out)
    }

    #[inline(always)]
    fn zero(self) -> V {
        unsafe { [_mm256_setzero_si256(); 2] }
    }

    #[inline(always)]
    fn columns(self, rows: &Rows<'_>, at: usize) -> [V; 4] {
        rows.check(at, 16);
        unsafe {
            let base = rows.data().as_ptr().add(at);
            // Four pointers that the compiler must not take apart: sixteen would not fit the registers.
            let fourth = fixed::hidden(base.add(4 * rows.stride()));
            let eighth = fixed::hidden(fourth.add(4 * rows.stride()));
            let twelfth = fixed::hidden(eighth.add(4 * rows.stride()));
            let mut halves = [[_mm256_setzero_si256(); 4]; 2];
            for (h, [first, second]) in [[base, fourth], [eighth, twelfth]].into_iter().enumerate()
            {
                for j in 0..4 {
                    // In range: the last row was checked.
                    let low = _mm_loadu_si128(first.add(j * rows.stride()).cast());
                    let high = _mm_loadu_si128(second.add(j * rows.stride()).cast());
                    halves[h][j] = _mm256_set_m128i(high, low);
                }
            }
            let [a, b] = [columns_half(halves[0]), columns_half(halves[1])];
            [[a[0], b[0]], [a[1], b[1]], [a[2], b[2]], [a[3], b[3]]]
        }
    }
    #[inline(always)]
    fn words(self, rows: &Rows<'_>, at: usize) -> V {
        rows.check(at, 4);
        unsafe {
            let base = rows.data().as_ptr().add(at);
            // In range: the last row was checked.
            macro_rules! w {
                ($($r:literal)*) => {
                    _mm256_setr_epi32($(base.add($r * rows.stride()).cast::<i32>().read_unaligned()),*)
                };
            }
            [w!(0 1 2 3 4 5 6 7), w!(8 9 10 11 12 13 14 15)]
        }
    }
    #[inline(always)]
    fn halves(self, rows: &Rows<'_>, at: usize) -> F {
        rows.check(at, 2);
        unsafe {
            let base = rows.data().as_ptr().add(at);
            // In range: the last row was checked.
            macro_rules! h {
                ($($r:literal)*) => {
                    _mm_setr_epi16($(base.add($r * rows.stride()).cast::<i16>().read_unaligned()),*)
                };
            }
            [
                _mm256_cvtph_ps(h!(0 1 2 3 4 5 6 7)),
                _mm256_cvtph_ps(h!(8 9 10 11 12 13 14 15)),
            ]
        }
    }
    #[inline(always)]
    fn low_f16(self, a: V) -> F {
        unsafe {
            let low = _mm256_set1_epi32(0xffff);
            [
                f16_half(_mm256_and_si256(a[0], low)),
                f16_half(_mm256_and_si256(a[1], low)),
            ]
        }
    }
    #[inline(always)]
    fn high_f16(self, a: V) -> F {
        let [low, high] = self.shr_i32::<16>(a);
        [f16_half(low), f16_half(high)]
    }
    #[inline(always)]
    fn splat_i32(self, x: i32) -> V {
        unsafe { [_mm256_set1_epi32(x); 2] }
    }
    #[inline(always)]
    fn xor_i32(self, a: V, b: V) -> V {
        self.xor(a, b)
    }
    #[inline(always)]
    fn store_i32(self, a: V, out: &mut [i32; 16]) {
        unsafe {
            _mm256_storeu_si256(out.as_mut_ptr().cast(), a[0]);
            _mm256_storeu_si256(out[8..].as_mut_ptr().cast(), a[1]);
        }
    }
    #[inline(always)]
    fn load_i32(self, x: &[i32; 16]) -> V {
        unsafe {
            [
                _mm256_loadu_si256(x.as_ptr().cast()),
                _mm256_loadu_si256(x[8..].as_ptr().cast()),
            ]
        }
    }
    #[inline(always)]
    fn prefetch<T>(self, data: &[T], at: usize) {
        // Prefetching never faults, wherever it points.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(data.as_ptr().wrapping_add(at).cast()) }
    }

    #[inline(always)]
    fn load_codes(self, x: &[u8; 64]) -> V {
        load_pair(x)
    }
    #[inline(always)]
    fn store_codes(self, a: V, out: &mut [u8; 64]) {
        unsafe {
            _mm256_storeu_si256(out.as_mut_ptr().cast(), a[0]);
            _mm256_storeu_si256(out[32..].as_mut_ptr().cast(), a[1]);
        }
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
        unsafe { [_mm256_set1_epi8(x as i8); 2] }
    }
    #[inline(always)]
    fn shr8<const N: u32>(self, a: V) -> V {
        unsafe {
            let (n, keep) = (
                _mm_cvtsi32_si128(N as i32),
                _mm256_set1_epi8((0xff_u8 >> N) as i8),
            );
            [
                _mm256_and_si256(_mm256_srl_epi16(a[0], n), keep),
                _mm256_and_si256(_mm256_srl_epi16(a[1], n), keep),
            ]
        }
    }
    #[inline(always)]
    fn shl8<const N: u32>(self, a: V) -> V {
        unsafe {
            let (n, keep) = (
                _mm_cvtsi32_si128(N as i32),
                _mm256_set1_epi8((0xff_u8 << N) as i8),
            );
            [
                _mm256_and_si256(_mm256_sll_epi16(a[0], n), keep),
                _mm256_and_si256(_mm256_sll_epi16(a[1], n), keep),
            ]
        }
    }
    #[inline(always)]
    fn shr_words(self, a: V, n: u32) -> V {
        unsafe {
            let n = _mm_cvtsi32_si128(n as i32);
            [_mm256_srl_epi32(a[0], n), _mm256_srl_epi32(a[1], n)]
        }
    }
    #[inline(always)]
    fn lookup16(self, table: &[u8; 16], a: V) -> V {
        unsafe {
            let table = _mm256_broadcastsi128_si256(_mm_loadu_si128(table.as_ptr().cast()));
            [
                _mm256_shuffle_epi8(table, a[0]),
                _mm256_shuffle_epi8(table, a[1]),
            ]
        }
    }
    #[inline(always)]
    fn lookup4(self, tables: V, a: V) -> V {
        unsafe {
            // A shuffle sees 16 bytes, the tables of four rows.
            let of_row = each_row_of_four();
            [
                _mm256_shuffle_epi8(tables[0], _mm256_or_si256(a[0], of_row)),
                _mm256_shuffle_epi8(tables[1], _mm256_or_si256(a[1], of_row)),
            ]
        }
    }
    #[inline(always)]
    fn mask4(self, bits: V) -> V {
        [mask4_half(bits[0]), mask4_half(bits[1])]
    }
    #[inline(always)]
    fn gather4<const N: usize>(self, table: &[[i8; 4]; N], index: V) -> V {
        const { assert!(N.is_power_of_two()) };
        let index = self.and_i32(index, self.splat_i32(N as i32 - 1));
        unsafe {
            [
                _mm256_i32gather_epi32::<4>(table.as_ptr().cast(), index[0]),
                _mm256_i32gather_epi32::<4>(table.as_ptr().cast(), index[1]),
            ]
        }
    }
    #[inline(always)]
    fn gather8<const N: usize>(self, table: &[[i8; 8]; N], index: V) -> [V; 2] {
        let mut at = [0; 16];
        self.store_i32(index, &mut at);
        gather::eights(table, &at)
    }

    #[inline(always)]
    fn dot<const MAX: u8>(self, acc: V, w: [V; 4], x: &[i32; 4]) -> V {
        unsafe {
            if !VNNI && MAX <= 63 {
                return dot::small::<MAX>(acc, w, x);
            }
            let x = [
                _mm256_set1_epi32(x[0]),
                _mm256_set1_epi32(x[1]),
                _mm256_set1_epi32(x[2]),
                _mm256_set1_epi32(x[3]),
            ];
            let w = [
                [w[0][0], w[1][0], w[2][0], w[3][0]],
                [w[0][1], w[1][1], w[2][1], w[3][1]],
            ];
            if VNNI {
                return [dot::vnni(acc[0], w[0], x), dot::vnni(acc[1], w[1], x)];
            }
            [
                dot::large::<MAX>(acc[0], w[0], x),
                dot::large::<MAX>(acc[1], w[1], x),
            ]
        }
    }
    #[inline(always)]
    fn dot_pairs(self, acc: V, a: V, x: i32) -> V {
        unsafe {
            let x = _mm256_set1_epi32(x);
            [
                _mm256_add_epi32(acc[0], _mm256_madd_epi16(a[0], x)),
                _mm256_add_epi32(acc[1], _mm256_madd_epi16(a[1], x)),
            ]
        }
    }

    // -- attention ----------------------------------------------------------------------------
    #[inline(always)]
    fn to_i32(self, x: F) -> V {
        unsafe { [_mm256_cvtps_epi32(x[0]), _mm256_cvtps_epi32(x[1])] }
    }
    #[inline(always)]
    fn dot_four<const MAX: u8>(self, acc: V, w: V, x: V) -> V {
        [
            dot::four::<VNNI, MAX>(acc[0], w[0], x[0]),
            dot::four::<VNNI, MAX>(acc[1], w[1], x[1]),
        ]
    }
}
