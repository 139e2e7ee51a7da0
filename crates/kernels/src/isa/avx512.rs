//! AVX-512 F, BW, DQ and VL, with or without VNNI: one register per vector.
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

/// Proof of AVX-512 F, BW, DQ, VL, FMA and F16C, and of VNNI if `VNNI`.
#[derive(Clone, Copy)]
pub(crate) struct Avx512<const VNNI: bool>(());

impl<const VNNI: bool> Avx512<VNNI> {
    pub(crate) fn new() -> Option<Self> {
        let base = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c");
        (base && (!VNNI || is_x86_feature_detected!("avx512vnni"))).then_some(Self(()))
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn enter<O: Op>(token: Avx512<false>, op: O) -> O::Output {
    op.eval(token)
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn enter_vnni<O: Op>(token: Avx512<true>, op: O) -> O::Output {
    op.eval(token)
}

impl<const VNNI: bool> Avx512<VNNI> {
    #[inline(always)]
    fn dot<const WIDE: bool>(self, acc: __m512i, w: __m512i, x: __m512i) -> __m512i {
        unsafe {
            if VNNI {
                return _mm512_dpbusd_epi32(acc, w, x);
            }
            let ones = _mm512_set1_epi16(1);
            let pairs = if WIDE {
                // maddubs would saturate with codes over 127: take |code - 128| and give x its sign.
                let signed = _mm512_xor_si512(w, _mm512_set1_epi8(-128));
                let negative = _mm512_movepi8_mask(signed);
                let x = _mm512_mask_sub_epi8(x, negative, _mm512_setzero_si512(), x);
                _mm512_maddubs_epi16(_mm512_abs_epi8(signed), x)
            } else {
                _mm512_maddubs_epi16(w, x)
            };
            _mm512_add_epi32(acc, _mm512_madd_epi16(pairs, ones))
        }
    }
}

impl<const VNNI: bool> Isa for Avx512<VNNI> {
    type F32 = __m512;
    type I32 = __m512i;
    type B32 = __m256i;
    type B64 = __m512i;
    const TOKENS: usize = 8;
    const WIDE_IS_SIGNED: bool = !VNNI;

    #[inline(always)]
    fn get() -> Option<Self> {
        Self::new()
    }
    #[inline(always)]
    fn run<O: Op>(self, op: O) -> O::Output {
        if VNNI {
            unsafe { enter_vnni(Avx512(()), op) }
        } else {
            unsafe { enter(Avx512(()), op) }
        }
    }

    #[inline(always)]
    fn splat(self, x: f32) -> __m512 {
        unsafe { _mm512_set1_ps(x) }
    }
    #[inline(always)]
    fn load(self, x: &[f32; 16]) -> __m512 {
        unsafe { _mm512_loadu_ps(x.as_ptr()) }
    }
    #[inline(always)]
    fn store(self, x: __m512, out: &mut [f32; 16]) {
        unsafe { _mm512_storeu_ps(out.as_mut_ptr(), x) }
    }
    #[inline(always)]
    fn f16(self, x: u16) -> f32 {
        unsafe { _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(i32::from(x)))) }
    }
    #[inline(always)]
    fn load_f16(self, x: &[u16; 16]) -> __m512 {
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(x.as_ptr().cast())) }
    }
    #[inline(always)]
    fn store_f16(self, x: __m512, out: &mut [u16; 16]) {
        unsafe {
            let half = _mm512_cvtps_ph::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(x);
            _mm256_storeu_si256(out.as_mut_ptr().cast(), half);
        }
    }
    #[inline(always)]
    fn load_bf16(self, x: &[u16; 16]) -> __m512 {
        unsafe {
            let wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(x.as_ptr().cast()));
            _mm512_castsi512_ps(_mm512_slli_epi32::<16>(wide))
        }
    }
    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    fn div(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_div_ps(a, b) }
    }
    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_max_ps(a, b) }
    }
    #[inline(always)]
    fn min(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_min_ps(a, b) }
    }
    #[inline(always)]
    fn abs(self, a: __m512) -> __m512 {
        unsafe { _mm512_abs_ps(a) }
    }
    #[inline(always)]
    fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn round(self, a: __m512) -> __m512 {
        unsafe { _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a) }
    }
    #[inline(always)]
    fn exp2_int(self, n: __m512) -> __m512 {
        unsafe {
            let exponent = _mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127));
            _mm512_castsi512_ps(_mm512_slli_epi32::<23>(exponent))
        }
    }
    #[inline(always)]
    fn keep_ge(self, a: __m512, limit: f32, x: __m512) -> __m512 {
        unsafe {
            _mm512_maskz_mov_ps(
                _mm512_cmp_ps_mask::<_CMP_GE_OQ>(a, _mm512_set1_ps(limit)),
                x,
            )
        }
    }
    #[inline(always)]
    fn sum(self, a: __m512) -> f32 {
        unsafe {
            let a = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps::<1>(a));
            let a = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let a = _mm_add_ps(a, _mm_movehl_ps(a, a));
            _mm_cvtss_f32(_mm_add_ss(a, _mm_movehdup_ps(a)))
        }
    }
    #[inline(always)]
    fn max_lane(self, a: __m512) -> f32 {
        unsafe {
            let a = _mm256_max_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps::<1>(a));
            let a = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let a = _mm_max_ps(a, _mm_movehl_ps(a, a));
            _mm_cvtss_f32(_mm_max_ss(a, _mm_movehdup_ps(a)))
        }
    }
    #[inline(always)]
    fn store_i8(self, x: __m512, out: &mut [i8; 16]) {
        unsafe {
            let narrow = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(x));
            _mm_storeu_si128(out.as_mut_ptr().cast(), narrow);
        }
    }

    #[inline(always)]
    fn zero(self) -> __m512i {
        unsafe { _mm512_setzero_si512() }
    }
    #[inline(always)]
    fn add_i32(self, a: __m512i, b: __m512i) -> __m512i {
        unsafe { _mm512_add_epi32(a, b) }
    }
    #[inline(always)]
    fn to_f32(self, a: __m512i) -> __m512 {
        unsafe { _mm512_cvtepi32_ps(a) }
    }

    #[inline(always)]
    fn gather(self, data: &[u8], offsets: &[u32; 16], at: usize) -> __m512i {
        assert_gather(data, offsets, at);
        unsafe {
            let index = _mm512_loadu_si512(offsets.as_ptr().cast());
            _mm512_i32gather_epi32::<1>(index, data.as_ptr().add(at).cast())
        }
    }
    #[inline(always)]
    fn low_f16(self, a: __m512i) -> __m512 {
        unsafe { _mm512_cvtph_ps(_mm512_cvtepi32_epi16(a)) }
    }
    #[inline(always)]
    fn high_f16(self, a: __m512i) -> __m512 {
        self.low_f16(self.shr_i32::<16>(a))
    }
    #[inline(always)]
    fn splat_i32(self, x: i32) -> __m512i {
        unsafe { _mm512_set1_epi32(x) }
    }
    #[inline(always)]
    fn and_i32(self, a: __m512i, b: __m512i) -> __m512i {
        unsafe { _mm512_and_si512(a, b) }
    }
    #[inline(always)]
    fn or_i32(self, a: __m512i, b: __m512i) -> __m512i {
        unsafe { _mm512_or_si512(a, b) }
    }
    #[inline(always)]
    fn shl_i32<const N: u32>(self, a: __m512i) -> __m512i {
        unsafe { _mm512_slli_epi32::<N>(a) }
    }
    #[inline(always)]
    fn shr_i32<const N: u32>(self, a: __m512i) -> __m512i {
        unsafe { _mm512_srli_epi32::<N>(a) }
    }
    #[inline(always)]
    fn sar_i32<const N: u32>(self, a: __m512i) -> __m512i {
        unsafe { _mm512_srai_epi32::<N>(a) }
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
        unsafe { _mm256_movm_epi8(bits) }
    }
    #[inline(always)]
    fn store32(self, a: __m256i, out: &mut [u8; 32]) {
        unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), a) }
    }

    #[inline(always)]
    fn load64(self, x: &[i8; 64]) -> __m512i {
        unsafe { _mm512_loadu_si512(x.as_ptr().cast()) }
    }
    #[inline(always)]
    fn dot64<const WIDE: bool>(self, lo: __m256i, hi: __m256i, x: __m512i) -> __m512i {
        unsafe {
            let w = _mm512_inserti64x4::<1>(_mm512_castsi256_si512(lo), hi);
            self.dot::<WIDE>(_mm512_setzero_si512(), w, x)
        }
    }
    #[inline(always)]
    fn reduce4(self, [r0, r1, r2, r3]: [__m512i; 4]) -> __m512i {
        unsafe {
            let a = _mm512_add_epi32(_mm512_unpacklo_epi32(r0, r1), _mm512_unpackhi_epi32(r0, r1));
            let b = _mm512_add_epi32(_mm512_unpacklo_epi32(r2, r3), _mm512_unpackhi_epi32(r2, r3));
            _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b))
        }
    }
    #[inline(always)]
    fn transpose_quarters(self, [r0, r1, r2, r3]: [__m512i; 4]) -> [__m512i; 4] {
        unsafe {
            let a = _mm512_shuffle_i32x4::<0x44>(r0, r1);
            let b = _mm512_shuffle_i32x4::<0x44>(r2, r3);
            let c = _mm512_shuffle_i32x4::<0xee>(r0, r1);
            let d = _mm512_shuffle_i32x4::<0xee>(r2, r3);
            [
                _mm512_shuffle_i32x4::<0x88>(a, b),
                _mm512_shuffle_i32x4::<0xdd>(a, b),
                _mm512_shuffle_i32x4::<0x88>(c, d),
                _mm512_shuffle_i32x4::<0xdd>(c, d),
            ]
        }
    }
    #[inline(always)]
    fn load_codes(self, x: &[u8; 64]) -> __m512i {
        unsafe { _mm512_loadu_si512(x.as_ptr().cast()) }
    }
    #[inline(always)]
    fn dot_splat<const WIDE: bool>(self, acc: __m512i, w: __m512i, x: [i8; 4]) -> __m512i {
        unsafe {
            self.dot::<WIDE>(
                acc,
                w,
                _mm512_set1_epi32(i32::from_le_bytes(x.map(|b| b as u8))),
            )
        }
    }
    #[inline(always)]
    fn transpose_codes(self, rows: &[[u8; 64]; 16], out: &mut [[u8; 64]; 16]) {
        unsafe {
            let mut u = [_mm512_setzero_si512(); 16];
            for j in 0..4 {
                let mut r = [_mm512_setzero_si512(); 4];
                for i in 0..4 {
                    r[i] = _mm512_loadu_si512(rows[4 * j + i].as_ptr().cast());
                }
                let lo01 = _mm512_unpacklo_epi32(r[0], r[1]);
                let hi01 = _mm512_unpackhi_epi32(r[0], r[1]);
                let lo23 = _mm512_unpacklo_epi32(r[2], r[3]);
                let hi23 = _mm512_unpackhi_epi32(r[2], r[3]);
                u[4 * j] = _mm512_unpacklo_epi64(lo01, lo23);
                u[4 * j + 1] = _mm512_unpackhi_epi64(lo01, lo23);
                u[4 * j + 2] = _mm512_unpacklo_epi64(hi01, hi23);
                u[4 * j + 3] = _mm512_unpackhi_epi64(hi01, hi23);
            }
            for c in 0..4 {
                let columns = self.transpose_quarters([u[c], u[4 + c], u[8 + c], u[12 + c]]);
                for (quarter, column) in columns.into_iter().enumerate() {
                    _mm512_storeu_si512(out[4 * quarter + c].as_mut_ptr().cast(), column);
                }
            }
        }
    }
}
