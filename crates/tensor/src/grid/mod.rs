//! Codebooks of the IQ types: a code in the file names a whole pattern of four or eight weights.
//!
//! The patterns are points of a lattice that were picked by their frequency in real models, so they
//! follow no formula and are part of the format. They are kept packed in the source, 16 bits a
//! pattern, and unpacked by the compiler. Types whose patterns hold magnitudes store signs apart;
//! [`even_signs`] decodes the form that takes 7 bits for 8 signs.
//!
//! Source: the tables `iq*_grid` of `ggml-common.h`, <https://github.com/ggml-org/ggml>.

mod iq1;
mod iq2_s;
mod iq2_xs;
mod iq2_xxs;
mod iq3_s;
mod iq3_xxs;

pub use iq1::IQ1;
pub use iq2_s::IQ2_S;
pub use iq2_xs::IQ2_XS;
pub use iq2_xxs::IQ2_XXS;
pub use iq3_s::IQ3_S;
pub use iq3_xxs::IQ3_XXS;

/// Eight sign bits out of seven: the eighth makes the number of ones even.
///
/// Only the low seven bits of `code` count. A set bit means minus.
#[inline]
pub const fn even_signs(code: u32) -> u8 {
    let seven = (code & 0x7f) as u8;
    seven | ((seven.count_ones() & 1) as u8) << 7
}

/// Table of [`even_signs`], for kernels that would rather look it up.
pub static EVEN_SIGNS: [u8; 128] = {
    let mut table = [0; 128];
    let mut code = 0;
    while code < 128 {
        table[code] = even_signs(code as u32);
        code += 1;
    }
    table
};

/// -1 where bit `k` of `signs` is set, else 1.
#[inline]
pub const fn sign(signs: u8, k: usize) -> f32 {
    if (signs >> k) & 1 == 1 { -1.0 } else { 1.0 }
}

/// Spreads packed patterns of `16 / L` bits a weight, each bit group an index into `values`.
const fn unpack<const N: usize, const L: usize, const V: usize>(
    packed: &[u16; N],
    values: &[i8; V],
) -> [[i8; L]; N] {
    let bits = 16 / L;
    let mut patterns = [[0; L]; N];
    let mut i = 0;
    while i < N {
        let mut k = 0;
        while k < L {
            let code = packed[i] as usize >> (bits * k) & ((1 << bits) - 1);
            patterns[i][k] = values[code];
            k += 1;
        }
        i += 1;
    }
    patterns
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A codebook with a pattern twice would waste a code, so a duplicate means a broken table.
    fn distinct<const L: usize>(patterns: &[[i8; L]]) -> bool {
        let set: std::collections::HashSet<_> = patterns.iter().collect();
        set.len() == patterns.len()
    }

    #[test]
    fn patterns_are_distinct() {
        assert!(distinct(&IQ1));
        assert!(distinct(&IQ2_XXS));
        assert!(distinct(&IQ2_XS));
        assert!(distinct(&IQ2_S));
        assert!(distinct(&IQ3_XXS));
        assert!(distinct(&IQ3_S));
    }

    #[test]
    fn packed_codes_stay_within_their_values() {
        assert!(IQ2_S.as_flattened().iter().all(|v| [8, 25, 43].contains(v)));
        assert!(IQ1.as_flattened().iter().all(|v| [-1, 0, 1].contains(v)));
    }

    #[test]
    fn eight_signs_have_even_parity() {
        for (code, &signs) in EVEN_SIGNS.iter().enumerate() {
            assert_eq!(signs.count_ones() % 2, 0);
            assert_eq!(usize::from(signs & 0x7f), code);
        }
        assert_eq!((sign(0b100, 2), sign(0b100, 1)), (-1.0, 1.0));
    }
}
