//! E4M3: a float of 8 bits, sign, 4 of exponent (bias 7), 3 of mantissa. No infinities.
//!
//! ```text
//! s eeee mmm   e = 0: ± m / 8 · 2^-6    else: ± (1 + m / 8) · 2^(e - 7)    s 1111 111: NaN
//! ```
//! Safetensors files call it `F8_E4M3`. Source: Micikevicius et al., "FP8 Formats for Deep Learning",
//! <https://arxiv.org/abs/2209.05433>, table 1. GGUF has no such type, so it is no [`DType`](crate::DType).

/// What a byte stands for.
pub const fn e4m3_to_f32(byte: u8) -> f32 {
    let sign = (byte as u32 & 0x80) << 24;
    let exponent = (byte >> 3 & 0x0f) as u32;
    let mantissa = (byte & 0x07) as u32;
    match (exponent, mantissa) {
        (15, 7) => f32::from_bits(sign | 0x7fc0_0000),
        // 2^-9 of the least bit: exact in f32.
        (0, m) => f32::from_bits(sign | (m as f32 / 512.0).to_bits()),
        (e, m) => f32::from_bits(sign | (e + 120) << 23 | m << 20),
    }
}

/// [`e4m3_to_f32`] of every byte.
pub const E4M3: [f32; 256] = {
    let mut table = [0.0; 256];
    let mut i = 0;
    while i < 256 {
        table[i] = e4m3_to_f32(i as u8);
        i += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::{E4M3, e4m3_to_f32};

    #[test]
    fn the_named_values_of_the_paper() {
        assert_eq!(e4m3_to_f32(0x7e), 448.0, "greatest");
        assert_eq!(e4m3_to_f32(0x08), 1.0 / 64.0, "least normal");
        assert_eq!(e4m3_to_f32(0x07), 7.0 / 512.0, "greatest subnormal");
        assert_eq!(e4m3_to_f32(0x01), 1.0 / 512.0, "least subnormal");
        assert_eq!(e4m3_to_f32(0x38), 1.0);
        assert!(e4m3_to_f32(0x7f).is_nan() && e4m3_to_f32(0xff).is_nan());
        assert!(e4m3_to_f32(0x80) == 0.0 && e4m3_to_f32(0x80).is_sign_negative());
    }

    #[test]
    fn positive_values_ascend_and_negative_ones_mirror_them() {
        for byte in 0..0x7e_u8 {
            assert!(E4M3[usize::from(byte)] < E4M3[usize::from(byte) + 1]);
            assert_eq!(E4M3[usize::from(byte | 0x80)], -E4M3[usize::from(byte)]);
        }
    }
}
