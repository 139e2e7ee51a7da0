//! AVX-512 F, BW, DQ and VL, alone, with VNNI, with VNNI, VBMI and GFNI, or with VNNI and BF16: one register per vector.
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

mod codebook;
mod quantize;

use std::arch::x86_64::*;

use super::{Isa, Op, Rows, fixed, gathered};
use crate::quant::codebook::Codebook;

/// Proof of AVX-512 F, BW, DQ, VL, FMA and F16C, of VNNI if `VNNI`, of VBMI and GFNI if `GFNI`, of BF16 if `BF16`.
#[derive(Clone, Copy)]
pub(crate) struct Avx512<const VNNI: bool, const GFNI: bool, const BF16: bool = false>(());

impl<const VNNI: bool, const GFNI: bool, const BF16: bool> Avx512<VNNI, GFNI, BF16> {
    pub(crate) fn new() -> Option<Self> {
        let base = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c");
        let vnni = !VNNI || is_x86_feature_detected!("avx512vnni");
        let gfni =
            !GFNI || is_x86_feature_detected!("avx512vbmi") && is_x86_feature_detected!("gfni");
        let bf16 = !BF16 || is_x86_feature_detected!("avx512bf16");
        // The combinations that there is a function for.
        let is_made = VNNI && !(GFNI && BF16) || !GFNI && !BF16;
        (base && vnni && gfni && bf16 && is_made).then_some(Self(()))
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn enter<O: Op>(token: Avx512<false, false>, op: O) -> O::Output {
    op.eval(token)
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn enter_vnni<O: Op>(token: Avx512<true, false>, op: O) -> O::Output {
    op.eval(token)
}

#[target_feature(
    enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vbmi,gfni,avx2,fma,f16c"
)]
fn enter_gfni<O: Op>(token: Avx512<true, true>, op: O) -> O::Output {
    op.eval(token)
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,avx2,fma,f16c")]
fn enter_bf16<O: Op>(token: Avx512<true, false, true>, op: O) -> O::Output {
    op.eval(token)
}

/// Products of codes and int8, summed in pairs. With `MAX` over 127 codes go in as `code - 128`:
/// maddubs would saturate, so it takes |code - 128| and x gets its sign.
#[inline(always)]
unsafe fn pairs<const MAX: u8>(w: __m512i, x: __m512i) -> __m512i {
    unsafe {
        if MAX <= 127 {
            return _mm512_maddubs_epi16(w, x);
        }
        let signed = _mm512_xor_si512(w, _mm512_set1_epi8(-128));
        let negative = _mm512_movepi8_mask(signed);
        let x = _mm512_mask_sub_epi8(x, negative, _mm512_setzero_si512(), x);
        _mm512_maddubs_epi16(_mm512_abs_epi8(signed), x)
    }
}

/// Operations on two vectors that are one instruction.
macro_rules! lanewise {
    ($($name:ident: $vector:ty = $intrinsic:ident;)*) => {$(
        #[inline(always)]
        fn $name(self, a: $vector, b: $vector) -> $vector {
            unsafe { $intrinsic(a, b) }
        }
    )*};
}

impl<const VNNI: bool, const GFNI: bool, const BF16: bool> Isa for Avx512<VNNI, GFNI, BF16> {
    // Attention and most formats have no use for VBMI and GFNI.
    type Plain = Avx512<VNNI, false>;
    // Zen 4 and Sapphire Rapids have it, Ice Lake has not. (So has Cooper Lake, without GFNI: it goes without.)
    type Bf16 = Avx512<VNNI, false, GFNI>;
    type F32 = __m512;
    type I32 = __m512i;
    type B64 = __m512i;
    const TOKENS: usize = if VNNI { 8 } else { 4 };
    const WIDE_IS_SIGNED: bool = !VNNI;

    lanewise! {
        add: __m512 = _mm512_add_ps;
        sub: __m512 = _mm512_sub_ps;
        mul: __m512 = _mm512_mul_ps;
        div: __m512 = _mm512_div_ps;
        max: __m512 = _mm512_max_ps;
        min: __m512 = _mm512_min_ps;
        add_i32: __m512i = _mm512_add_epi32;
        and_i32: __m512i = _mm512_and_si512;
        or_i32: __m512i = _mm512_or_si512;
        mul_i32: __m512i = _mm512_mullo_epi32;
        and: __m512i = _mm512_and_si512;
        or: __m512i = _mm512_or_si512;
        xor: __m512i = _mm512_xor_si512;
        add8: __m512i = _mm512_add_epi8;
        sub8: __m512i = _mm512_sub_epi8;
    }

    #[inline(always)]
    fn get() -> Option<Self> {
        Self::new()
    }
    #[inline(always)]
    fn run<O: Op>(self, op: O) -> O::Output {
        match (VNNI, GFNI, BF16) {
            (false, ..) => unsafe { enter(Avx512(()), op) },
            (true, false, false) => unsafe { enter_vnni(Avx512(()), op) },
            (true, true, _) => unsafe { enter_gfni(Avx512(()), op) },
            (true, false, true) => unsafe { enter_bf16(Avx512(()), op) },
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
    fn f32_bytes(self, x: &[u8; 64]) -> __m512 {
        unsafe { _mm512_loadu_ps(x.as_ptr().cast()) }
    }
    #[inline(always)]
    fn f16_bytes(self, x: &[u8; 32]) -> __m512 {
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(x.as_ptr().cast())) }
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
    fn dot_bf16(self, acc: __m512, w: __m512i, x: __m512i) -> __m512 {
        if BF16 {
            // The same bits by another name.
            let bf16 = |a| unsafe { core::mem::transmute::<__m512i, __m512bh>(a) };
            return unsafe { _mm512_dpbf16_ps(acc, bf16(w), bf16(x)) };
        }
        let high = |a| self.as_f32(self.and_i32(a, self.splat_i32(!0xffff)));
        let low = |a| self.as_f32(self.shl_i32::<16>(a));
        let acc = self.mul_add(high(w), high(x), acc);
        self.mul_add(low(w), low(x), acc)
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
    fn quantize(self, x: [__m512; 16], out: &mut [i32; 64]) -> [i32; 16] {
        quantize::quantize(x, out)
    }

    #[inline(always)]
    fn zero(self) -> __m512i {
        unsafe { _mm512_setzero_si512() }
    }
    #[inline(always)]
    fn as_f32(self, a: __m512i) -> __m512 {
        unsafe { _mm512_castsi512_ps(a) }
    }
    #[inline(always)]
    fn to_f32(self, a: __m512i) -> __m512 {
        unsafe { _mm512_cvtepi32_ps(a) }
    }

    #[inline(always)]
    fn columns(self, rows: &Rows<'_>, at: usize) -> [__m512i; 4] {
        rows.check(at, 16);
        unsafe {
            let base = rows.data().as_ptr().add(at);
            // Four pointers that the compiler must not take apart: sixteen would not fit the registers.
            let fourth = fixed::hidden(base.add(4 * rows.stride()));
            let eighth = fixed::hidden(fourth.add(4 * rows.stride()));
            let twelfth = fixed::hidden(eighth.add(4 * rows.stride()));
            let mut a = [_mm512_setzero_si512(); 4];
            for (j, a) in a.iter_mut().enumerate() {
                // In range: the last row was checked.
                let of_row = j * rows.stride();
                let q0 = _mm_loadu_si128(base.add(of_row).cast());
                let q1 = _mm_loadu_si128(fourth.add(of_row).cast());
                let q2 = _mm_loadu_si128(eighth.add(of_row).cast());
                let q3 = _mm_loadu_si128(twelfth.add(of_row).cast());
                // By halves: inserting from memory costs half as much there on Zen 4.
                let low = _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(q0), q1);
                let high = _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(q2), q3);
                *a = _mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high);
            }
            let lo01 = _mm512_unpacklo_epi32(a[0], a[1]);
            let hi01 = _mm512_unpackhi_epi32(a[0], a[1]);
            let lo23 = _mm512_unpacklo_epi32(a[2], a[3]);
            let hi23 = _mm512_unpackhi_epi32(a[2], a[3]);
            [
                _mm512_unpacklo_epi64(lo01, lo23),
                _mm512_unpackhi_epi64(lo01, lo23),
                _mm512_unpacklo_epi64(hi01, hi23),
                _mm512_unpackhi_epi64(hi01, hi23),
            ]
        }
    }
    #[inline(always)]
    fn words(self, rows: &Rows<'_>, at: usize) -> __m512i {
        rows.check(at, 4);
        unsafe {
            let base = rows.data().as_ptr().add(at);
            // In range: the last row was checked.
            macro_rules! w {
                ($($r:literal)*) => {
                    _mm512_setr_epi32($(base.add($r * rows.stride()).cast::<i32>().read_unaligned()),*)
                };
            }
            w!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
        }
    }
    #[inline(always)]
    fn halves(self, rows: &Rows<'_>, at: usize) -> __m512 {
        rows.check(at, 2);
        unsafe {
            let base = rows.data().as_ptr().add(at);
            // In range: the last row was checked.
            macro_rules! h {
                ($($r:literal)*) => {
                    _mm256_setr_epi16($(base.add($r * rows.stride()).cast::<i16>().read_unaligned()),*)
                };
            }
            _mm512_cvtph_ps(h!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15))
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
    fn xor_i32(self, a: __m512i, b: __m512i) -> __m512i {
        self.xor(a, b)
    }
    #[inline(always)]
    fn store_i32(self, a: __m512i, out: &mut [i32; 16]) {
        unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), a) }
    }
    #[inline(always)]
    fn load_i32(self, x: &[i32; 16]) -> __m512i {
        unsafe { _mm512_loadu_si512(x.as_ptr().cast()) }
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
    fn mul_codes(self, codes: __m512i, by: __m512i) -> __m512i {
        // One instruction where products of 32 bits are two.
        unsafe { _mm512_mullo_epi16(codes, _mm512_or_si512(by, _mm512_slli_epi32::<16>(by))) }
    }
    #[inline(always)]
    fn prefetch<T>(self, data: &[T], at: usize) {
        // Prefetching never faults, wherever it points.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(data.as_ptr().wrapping_add(at).cast()) }
    }
    #[inline(always)]
    fn prefetch_here(self, data: &[u8], at: usize) {
        fixed::prefetch_here(data.as_ptr().wrapping_add(at));
    }
    #[inline(always)]
    fn prefetch_then<'x, 'w, X, W>(
        self,
        (data, at): (&[u8], usize),
        x: &'x X,
        w: &'w [W],
    ) -> (&'x X, &'w [W]) {
        fixed::prefetch_then(data.as_ptr().wrapping_add(at), x, w)
    }
    #[inline(always)]
    fn load_codes(self, x: &[u8; 64]) -> __m512i {
        unsafe { _mm512_loadu_si512(x.as_ptr().cast()) }
    }
    #[inline(always)]
    fn store_codes(self, a: __m512i, out: &mut [u8; 64]) {
        unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), a) }
    }
    #[inline(always)]
    fn as_words(self, a: __m512i) -> __m512i {
        a
    }
    #[inline(always)]
    fn as_bytes(self, a: __m512i) -> __m512i {
        a
    }
    #[inline(always)]
    fn splat8(self, x: u8) -> __m512i {
        unsafe { _mm512_set1_epi8(x as i8) }
    }
    #[inline(always)]
    fn shr8<const N: u32>(self, a: __m512i) -> __m512i {
        unsafe { self.and(_mm512_srli_epi16::<N>(a), self.splat8(0xff >> N)) }
    }
    #[inline(always)]
    fn shl8<const N: u32>(self, a: __m512i) -> __m512i {
        unsafe { self.and(_mm512_slli_epi16::<N>(a), self.splat8(0xff << N)) }
    }
    #[inline(always)]
    fn shr_words(self, a: __m512i, n: u32) -> __m512i {
        unsafe { _mm512_srl_epi32(a, _mm_cvtsi32_si128(n as i32)) }
    }
    #[inline(always)]
    fn lookup16(self, table: &[u8; 16], a: __m512i) -> __m512i {
        unsafe {
            let table = _mm512_broadcast_i32x4(_mm_loadu_si128(table.as_ptr().cast()));
            _mm512_shuffle_epi8(table, a)
        }
    }
    #[inline(always)]
    fn lookup4(self, tables: __m512i, a: __m512i) -> __m512i {
        unsafe {
            // A shuffle sees 16 bytes, the tables of four rows.
            let of_row = _mm512_set4_epi32(0x0c0c_0c0c, 0x0808_0808, 0x0404_0404, 0);
            _mm512_shuffle_epi8(tables, _mm512_or_si512(a, of_row))
        }
    }
    #[inline(always)]
    fn mask4(self, bits: __m512i) -> __m512i {
        unsafe {
            // Each nibble's four bytes; the permutation looks at the low four bits alone.
            let bytes = _mm512_setr_epi32(
                0,
                0xff,
                0xff00,
                0xffff,
                0xff_0000,
                0xff_00ff,
                0xff_ff00,
                0xff_ffff,
                -0x0100_0000,
                -0x00ff_ff01,
                -0x00ff_0100,
                -0x00ff_0001,
                -0x1_0000,
                -0xff01,
                -0x100,
                -1,
            );
            _mm512_permutexvar_epi32(bits, bytes)
        }
    }
    #[inline(always)]
    fn gather4<const N: usize>(self, table: &[[i8; 4]; N], index: __m512i) -> __m512i {
        const { assert!(N.is_power_of_two()) };
        unsafe {
            let index = _mm512_and_si512(index, _mm512_set1_epi32(N as i32 - 1));
            _mm512_i32gather_epi32::<4>(index, table.as_ptr().cast())
        }
    }
    #[inline(always)]
    fn gather8<const N: usize>(self, table: &[[i8; 8]; N], index: __m512i) -> [__m512i; 2] {
        const { assert!(N.is_power_of_two()) };
        unsafe {
            let index = _mm512_and_si512(index, _mm512_set1_epi32(N as i32 - 1));
            let words = table.as_ptr().cast::<i32>();
            [
                _mm512_i32gather_epi32::<8>(index, words.cast()),
                _mm512_i32gather_epi32::<8>(index, words.add(1).cast()),
            ]
        }
    }

    #[inline(always)]
    fn eights<const N: usize>(
        self,
        book: &Codebook<N, 8>,
        index: __m512i,
        more: __m512i,
        signs: __m512i,
    ) -> [__m512i; 8] {
        if GFNI {
            let [codes] = codebook::eights(book, [index], [more], [signs]);
            codes
        } else {
            gathered::eights(self, book, index, more, signs)
        }
    }
    #[inline(always)]
    fn eights_twice<const N: usize>(
        self,
        book: &Codebook<N, 8>,
        index: [__m512i; 2],
        more: [__m512i; 2],
        signs: [__m512i; 2],
    ) -> [[__m512i; 8]; 2] {
        if GFNI {
            codebook::eights(book, index, more, signs)
        } else {
            [
                self.eights(book, index[0], more[0], signs[0]),
                self.eights(book, index[1], more[1], signs[1]),
            ]
        }
    }
    #[inline(always)]
    fn fours<const N: usize>(
        self,
        book: &Codebook<N, 4>,
        index: __m512i,
        more: __m512i,
        signs: __m512i,
    ) -> [__m512i; 4] {
        if GFNI {
            codebook::fours(book, index, more, signs)
        } else {
            gathered::fours(self, book, index, more, signs)
        }
    }
    #[inline(always)]
    fn sevens(self, a: __m512i) -> __m512i {
        if GFNI {
            codebook::sevens(a)
        } else {
            gathered::sevens(self, a)
        }
    }
    #[inline(always)]
    fn even_signs(self, a: __m512i) -> __m512i {
        if GFNI {
            codebook::even_signs(a)
        } else {
            gathered::even_signs(self, a)
        }
    }

    #[inline(always)]
    fn dot<const MAX: u8>(self, acc: __m512i, w: [__m512i; 4], x: &[i32; 4]) -> __m512i {
        unsafe {
            if VNNI {
                let acc = self.dot_one(acc, w[0], x[0]);
                let acc = self.dot_one(acc, w[1], x[1]);
                let acc = self.dot_one(acc, w[2], x[2]);
                return self.dot_one(acc, w[3], x[3]);
            }
            let p0 = pairs::<MAX>(w[0], _mm512_set1_epi32(x[0]));
            let p1 = pairs::<MAX>(w[1], _mm512_set1_epi32(x[1]));
            let p2 = pairs::<MAX>(w[2], _mm512_set1_epi32(x[2]));
            let p3 = pairs::<MAX>(w[3], _mm512_set1_epi32(x[3]));
            let ones = _mm512_set1_epi16(1);
            // Small codes leave room in 16 bits for more than one pair.
            if MAX <= 31 {
                let pairs = _mm512_add_epi16(_mm512_add_epi16(p0, p1), _mm512_add_epi16(p2, p3));
                return _mm512_add_epi32(acc, _mm512_madd_epi16(pairs, ones));
            }
            let (a, b) = if MAX <= 63 {
                let (p01, p23) = (_mm512_add_epi16(p0, p1), _mm512_add_epi16(p2, p3));
                (_mm512_madd_epi16(p01, ones), _mm512_madd_epi16(p23, ones))
            } else {
                let (s0, s1) = (_mm512_madd_epi16(p0, ones), _mm512_madd_epi16(p1, ones));
                let (s2, s3) = (_mm512_madd_epi16(p2, ones), _mm512_madd_epi16(p3, ones));
                (_mm512_add_epi32(s0, s1), _mm512_add_epi32(s2, s3))
            };
            _mm512_add_epi32(acc, _mm512_add_epi32(a, b))
        }
    }
    const DOTS_ONE_BY_ONE: bool = VNNI;
    #[inline(always)]
    fn dot_one(self, acc: __m512i, w: __m512i, x: i32) -> __m512i {
        unsafe { _mm512_dpbusd_epi32(acc, w, _mm512_set1_epi32(x)) }
    }
    #[inline(always)]
    fn dot_pairs(self, acc: __m512i, a: __m512i, x: i32) -> __m512i {
        unsafe {
            let x = _mm512_set1_epi32(x);
            if VNNI {
                // The saturating one: of the other the compiler makes two. Sums are far below 2^31.
                _mm512_dpwssds_epi32(acc, a, x)
            } else {
                _mm512_add_epi32(acc, _mm512_madd_epi16(a, x))
            }
        }
    }

    // -- attention ----------------------------------------------------------------------------
    const WIDE_TILES: bool = true;
    #[inline(always)]
    fn butterfly<const H: usize>(self, x: __m512) -> __m512 {
        unsafe {
            let (other, high) = match H {
                8 => (_mm512_shuffle_f32x4::<0b01_00_11_10>(x, x), 0xff00),
                4 => (_mm512_shuffle_f32x4::<0b10_11_00_01>(x, x), 0xf0f0),
                2 => (_mm512_permute_ps::<0b01_00_11_10>(x), 0xcccc),
                _ => (_mm512_permute_ps::<0b10_11_00_01>(x), 0xaaaa),
            };
            _mm512_mask_sub_ps(_mm512_add_ps(x, other), high, other, x)
        }
    }
    #[inline(always)]
    fn to_i32(self, x: __m512) -> __m512i {
        unsafe { _mm512_cvtps_epi32(x) }
    }
    #[inline(always)]
    fn store_low(self, x: __m512i, out: &mut [u8; 16]) {
        unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), _mm512_cvtepi32_epi8(x)) }
    }
    #[inline(always)]
    fn dot_four<const MAX: u8>(self, acc: __m512i, w: __m512i, x: __m512i) -> __m512i {
        unsafe {
            if VNNI {
                return _mm512_dpbusd_epi32(acc, w, x);
            }
            let sums = _mm512_madd_epi16(pairs::<MAX>(w, x), _mm512_set1_epi16(1));
            _mm512_add_epi32(acc, sums)
        }
    }
}
