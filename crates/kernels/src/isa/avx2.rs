//! AVX2 with FMA and F16C: two registers per vector.
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

use std::arch::x86_64::*;

use super::{Isa, Op, assert_gather};

/// Proof of AVX2, FMA and F16C.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(());

impl Avx2 {
    pub(crate) fn new() -> Option<Self> {
        (is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c"))
        .then_some(Self(()))
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
fn enter<O: Op>(token: Avx2, op: O) -> O::Output {
    op.eval(token)
}

type F = [__m256; 2];
type V = [__m256i; 2];

/// Four int8 products summed into each i32. `WIDE` codes go in as `code - 128`: maddubs would
/// saturate with codes over 127, so take |code - 128| and give x its sign.
#[inline(always)]
fn dot<const WIDE: bool>(w: __m256i, x: __m256i) -> __m256i {
    unsafe {
        let pairs = if WIDE {
            let signed = _mm256_xor_si256(w, _mm256_set1_epi8(-128));
            _mm256_maddubs_epi16(_mm256_abs_epi8(signed), _mm256_sign_epi8(x, signed))
        } else {
            _mm256_maddubs_epi16(w, x)
        };
        _mm256_madd_epi16(pairs, _mm256_set1_epi16(1))
    }
}

/// Sums of four lanes for each 128-bit half of four rows.
#[inline(always)]
fn reduce_half(r0: __m256i, r1: __m256i, r2: __m256i, r3: __m256i) -> __m256i {
    unsafe {
        let a = _mm256_add_epi32(_mm256_unpacklo_epi32(r0, r1), _mm256_unpackhi_epi32(r0, r1));
        let b = _mm256_add_epi32(_mm256_unpacklo_epi32(r2, r3), _mm256_unpackhi_epi32(r2, r3));
        _mm256_add_epi32(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b))
    }
}

/// The low 128 bits of four registers.
#[inline(always)]
fn low(r0: __m256i, r1: __m256i, r2: __m256i, r3: __m256i) -> V {
    unsafe {
        [
            _mm256_permute2x128_si256::<0x20>(r0, r1),
            _mm256_permute2x128_si256::<0x20>(r2, r3),
        ]
    }
}

/// The high 128 bits of four registers.
#[inline(always)]
fn high(r0: __m256i, r1: __m256i, r2: __m256i, r3: __m256i) -> V {
    unsafe {
        [
            _mm256_permute2x128_si256::<0x31>(r0, r1),
            _mm256_permute2x128_si256::<0x31>(r2, r3),
        ]
    }
}

/// 4x4 blocks of i32 transposed within each 128-bit half.
#[inline(always)]
fn transpose_half(r: [__m256i; 4]) -> [__m256i; 4] {
    unsafe {
        let (lo01, hi01) = (
            _mm256_unpacklo_epi32(r[0], r[1]),
            _mm256_unpackhi_epi32(r[0], r[1]),
        );
        let (lo23, hi23) = (
            _mm256_unpacklo_epi32(r[2], r[3]),
            _mm256_unpackhi_epi32(r[2], r[3]),
        );
        [
            _mm256_unpacklo_epi64(lo01, lo23),
            _mm256_unpackhi_epi64(lo01, lo23),
            _mm256_unpacklo_epi64(hi01, hi23),
            _mm256_unpackhi_epi64(hi01, hi23),
        ]
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
fn bf16_half(x: &[u16]) -> __m256 {
    let x: &[u16; 8] = x.first_chunk().expect("half of 16");
    unsafe {
        let wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(x.as_ptr().cast()));
        _mm256_castsi256_ps(_mm256_slli_epi32::<16>(wide))
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

impl Isa for Avx2 {
    type F32 = F;
    type I32 = V;
    type B32 = __m256i;
    type B64 = V;
    const TOKENS: usize = 4;
    const WIDE_IS_SIGNED: bool = true;

    #[inline(always)]
    fn get() -> Option<Self> {
        Self::new()
    }
    #[inline(always)]
    fn run<O: Op>(self, op: O) -> O::Output {
        unsafe { enter(self, op) }
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
    fn f16(self, x: u16) -> f32 {
        unsafe { _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(i32::from(x)))) }
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
    fn load_bf16(self, x: &[u16; 16]) -> F {
        let (low, high) = x.split_at(8);
        [bf16_half(low), bf16_half(high)]
    }
    #[inline(always)]
    fn add(self, a: F, b: F) -> F {
        unsafe { [_mm256_add_ps(a[0], b[0]), _mm256_add_ps(a[1], b[1])] }
    }
    #[inline(always)]
    fn sub(self, a: F, b: F) -> F {
        unsafe { [_mm256_sub_ps(a[0], b[0]), _mm256_sub_ps(a[1], b[1])] }
    }
    #[inline(always)]
    fn mul(self, a: F, b: F) -> F {
        unsafe { [_mm256_mul_ps(a[0], b[0]), _mm256_mul_ps(a[1], b[1])] }
    }
    #[inline(always)]
    fn div(self, a: F, b: F) -> F {
        unsafe { [_mm256_div_ps(a[0], b[0]), _mm256_div_ps(a[1], b[1])] }
    }
    #[inline(always)]
    fn max(self, a: F, b: F) -> F {
        unsafe { [_mm256_max_ps(a[0], b[0]), _mm256_max_ps(a[1], b[1])] }
    }
    #[inline(always)]
    fn min(self, a: F, b: F) -> F {
        unsafe { [_mm256_min_ps(a[0], b[0]), _mm256_min_ps(a[1], b[1])] }
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
    fn store_i8(self, x: F, out: &mut [i8; 16]) {
        unsafe {
            let a = _mm256_cvtps_epi32(x[0]);
            let b = _mm256_cvtps_epi32(x[1]);
            // packs works within 128-bit halves: put the quarters back in order afterwards.
            let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi32(a, b));
            let low = _mm256_castsi256_si128(words);
            let bytes = _mm_packs_epi16(low, _mm256_extracti128_si256::<1>(words));
            _mm_storeu_si128(out.as_mut_ptr().cast(), bytes);
        }
    }

    #[inline(always)]
    fn zero(self) -> V {
        unsafe { [_mm256_setzero_si256(); 2] }
    }
    #[inline(always)]
    fn add_i32(self, a: V, b: V) -> V {
        unsafe { [_mm256_add_epi32(a[0], b[0]), _mm256_add_epi32(a[1], b[1])] }
    }
    #[inline(always)]
    fn to_f32(self, a: V) -> F {
        unsafe { [_mm256_cvtepi32_ps(a[0]), _mm256_cvtepi32_ps(a[1])] }
    }

    #[inline(always)]
    fn gather(self, data: &[u8], offsets: &[u32; 16], at: usize) -> V {
        assert_gather(data, offsets, at);
        unsafe {
            let base = data.as_ptr().add(at).cast();
            let low = _mm256_loadu_si256(offsets.as_ptr().cast());
            let high = _mm256_loadu_si256(offsets[8..].as_ptr().cast());
            [
                _mm256_i32gather_epi32::<1>(base, low),
                _mm256_i32gather_epi32::<1>(base, high),
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
    fn and_i32(self, a: V, b: V) -> V {
        unsafe { [_mm256_and_si256(a[0], b[0]), _mm256_and_si256(a[1], b[1])] }
    }
    #[inline(always)]
    fn or_i32(self, a: V, b: V) -> V {
        unsafe { [_mm256_or_si256(a[0], b[0]), _mm256_or_si256(a[1], b[1])] }
    }
    #[inline(always)]
    fn shl_i32<const N: u32>(self, a: V) -> V {
        unsafe {
            let n = _mm_cvtsi32_si128(N as i32);
            [_mm256_sll_epi32(a[0], n), _mm256_sll_epi32(a[1], n)]
        }
    }
    #[inline(always)]
    fn shr_i32<const N: u32>(self, a: V) -> V {
        unsafe {
            let n = _mm_cvtsi32_si128(N as i32);
            [_mm256_srl_epi32(a[0], n), _mm256_srl_epi32(a[1], n)]
        }
    }
    #[inline(always)]
    fn sar_i32<const N: u32>(self, a: V) -> V {
        unsafe {
            let n = _mm_cvtsi32_si128(N as i32);
            [_mm256_sra_epi32(a[0], n), _mm256_sra_epi32(a[1], n)]
        }
    }
    #[inline(always)]
    fn prefetch(self, data: &[u8], at: usize) {
        // Prefetching never faults, wherever it points.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(data.as_ptr().wrapping_add(at).cast()) }
    }

    #[inline(always)]
    fn load32(self, x: &[u8; 32]) -> __m256i {
        unsafe { _mm256_loadu_si256(x.as_ptr().cast()) }
    }
    #[inline(always)]
    fn load16_twice(self, x: &[u8; 16]) -> __m256i {
        unsafe { _mm256_broadcastsi128_si256(_mm_loadu_si128(x.as_ptr().cast())) }
    }
    #[inline(always)]
    fn nibbles(self, x: &[u8; 16]) -> __m256i {
        unsafe {
            let low = _mm_loadu_si128(x.as_ptr().cast());
            let both =
                _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(low), _mm_srli_epi16::<4>(low));
            _mm256_and_si256(both, _mm256_set1_epi8(15))
        }
    }
    #[inline(always)]
    fn splat8(self, x: u8) -> __m256i {
        unsafe { _mm256_set1_epi8(x as i8) }
    }
    #[inline(always)]
    fn and(self, a: __m256i, b: __m256i) -> __m256i {
        unsafe { _mm256_and_si256(a, b) }
    }
    #[inline(always)]
    fn or(self, a: __m256i, b: __m256i) -> __m256i {
        unsafe { _mm256_or_si256(a, b) }
    }
    #[inline(always)]
    fn xor(self, a: __m256i, b: __m256i) -> __m256i {
        unsafe { _mm256_xor_si256(a, b) }
    }
    #[inline(always)]
    fn add8(self, a: __m256i, b: __m256i) -> __m256i {
        unsafe { _mm256_add_epi8(a, b) }
    }
    #[inline(always)]
    fn sub8(self, a: __m256i, b: __m256i) -> __m256i {
        unsafe { _mm256_sub_epi8(a, b) }
    }
    #[inline(always)]
    fn shr8<const N: i32>(self, a: __m256i) -> __m256i {
        unsafe {
            _mm256_and_si256(
                _mm256_srli_epi16::<N>(a),
                _mm256_set1_epi8((0xff_u8 >> N) as i8),
            )
        }
    }
    #[inline(always)]
    fn shl8<const N: i32>(self, a: __m256i) -> __m256i {
        unsafe {
            _mm256_and_si256(
                _mm256_slli_epi16::<N>(a),
                _mm256_set1_epi8((0xff_u8 << N) as i8),
            )
        }
    }
    #[inline(always)]
    fn lookup16(self, table: &[u8; 16], a: __m256i) -> __m256i {
        unsafe { _mm256_shuffle_epi8(self.load16_twice(table), a) }
    }
    #[inline(always)]
    fn mask32(self, bits: u32) -> __m256i {
        unsafe {
            // Byte i of `spread` is the byte of `bits` that holds bit i; then test one bit in each.
            let which = _mm256_setr_epi64x(
                0,
                0x0101_0101_0101_0101,
                0x0202_0202_0202_0202,
                0x0303_0303_0303_0303,
            );
            let spread = _mm256_shuffle_epi8(_mm256_set1_epi32(bits as i32), which);
            let bit = _mm256_set1_epi64x(0x8040_2010_0804_0201_u64 as i64);
            _mm256_cmpeq_epi8(_mm256_and_si256(spread, bit), bit)
        }
    }
    #[inline(always)]
    fn store32(self, a: __m256i, out: &mut [u8; 32]) {
        unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), a) }
    }

    #[inline(always)]
    fn load64(self, x: &[i8; 64]) -> V {
        unsafe {
            [
                _mm256_loadu_si256(x.as_ptr().cast()),
                _mm256_loadu_si256(x[32..].as_ptr().cast()),
            ]
        }
    }
    #[inline(always)]
    fn dot64<const WIDE: bool>(self, lo: __m256i, hi: __m256i, x: V) -> V {
        [dot::<WIDE>(lo, x[0]), dot::<WIDE>(hi, x[1])]
    }
    #[inline(always)]
    fn reduce4(self, [r0, r1, r2, r3]: [V; 4]) -> V {
        [
            reduce_half(r0[0], r1[0], r2[0], r3[0]),
            reduce_half(r0[1], r1[1], r2[1], r3[1]),
        ]
    }
    #[inline(always)]
    fn transpose_quarters(self, [r0, r1, r2, r3]: [V; 4]) -> [V; 4] {
        [
            low(r0[0], r1[0], r2[0], r3[0]),
            high(r0[0], r1[0], r2[0], r3[0]),
            low(r0[1], r1[1], r2[1], r3[1]),
            high(r0[1], r1[1], r2[1], r3[1]),
        ]
    }
    #[inline(always)]
    fn load_codes(self, x: &[u8; 64]) -> V {
        load_pair(x)
    }
    #[inline(always)]
    fn dot_splat<const WIDE: bool>(self, acc: V, w: V, x: [i8; 4]) -> V {
        unsafe {
            let x = _mm256_set1_epi32(i32::from_le_bytes(x.map(|b| b as u8)));
            [
                _mm256_add_epi32(acc[0], dot::<WIDE>(w[0], x)),
                _mm256_add_epi32(acc[1], dot::<WIDE>(w[1], x)),
            ]
        }
    }
    #[inline(always)]
    fn transpose_codes(self, rows: &[[u8; 64]; 16], out: &mut [[u8; 64]; 16]) {
        unsafe {
            let mut u = [self.zero(); 16];
            for j in 0..4 {
                let mut low = [_mm256_setzero_si256(); 4];
                let mut high = low;
                for i in 0..4 {
                    [low[i], high[i]] = load_pair(&rows[4 * j + i]);
                }
                let (low, high) = (transpose_half(low), transpose_half(high));
                for i in 0..4 {
                    u[4 * j + i] = [low[i], high[i]];
                }
            }
            for c in 0..4 {
                let columns = self.transpose_quarters([u[c], u[4 + c], u[8 + c], u[12 + c]]);
                for (quarter, column) in columns.into_iter().enumerate() {
                    let target = &mut out[4 * quarter + c];
                    _mm256_storeu_si256(target.as_mut_ptr().cast(), column[0]);
                    _mm256_storeu_si256(target[32..].as_mut_ptr().cast(), column[1]);
                }
            }
        }
    }
}
