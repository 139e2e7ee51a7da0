//! Codebooks of the IQ types, in the forms that kernels look them up in.
//!
//! A pattern is eight weights of three values, or four weights of eight. A weight's *code* (see
//! [`crate::quant`]) follows from its value's place in the list of values, two or three bits, and one bit more:
//! its sign, or the shift of IQ1. Levels that gather fetch a pattern's places, a byte each; levels that permute
//! bytes fetch planes of bits, a quarter as long, and turn them.

use tensor::grid;

/// `N` patterns of `L` weights, `L` being 8 or 4.
///
/// Its tables begin where cache lines do: loads of 64 bytes that cross a line take twice as long.
#[repr(C, align(64))]
pub(crate) struct Codebook<const N: usize, const L: usize> {
    /// Places of the weights of each pattern.
    pub(crate) places: [[i8; L]; N],
    /// Bits of the places, weight `k` in bit `k`. Of eight weights: bit 0 of the place in the first byte, bit 1 in the
    /// second. Of four: bits 0 and 1 in the halves of the first byte, bit 2 in the low half of the second.
    pub(crate) planes: [[u8; N]; 2],
    /// The same by six bits of which some count, as `isa/avx512/codebook.rs` finds them: weights of the first
    /// of two patterns, and of the second.
    pub(crate) by_six: [[u8; 64]; 2],
    /// Codes: by the place, plus [`MINUS`] if the sign bit is set.
    pub(crate) codes: [u8; 16],
}

/// What a sign bit adds to the place of a code.
pub(crate) const MINUS: u8 = 8;

pub(crate) static IQ1: Codebook<2048, 8> = Codebook::new(&grid::IQ1, &[-1, 0, 1], Bit::Shift);
pub(crate) static IQ2_XXS: Codebook<256, 8> = Codebook::new(&grid::IQ2_XXS, IQ2, Bit::Sign);
pub(crate) static IQ2_XS: Codebook<512, 8> = Codebook::new(&grid::IQ2_XS, IQ2, Bit::Sign);
pub(crate) static IQ2_S: Codebook<1024, 8> = Codebook::new(&grid::IQ2_S, IQ2, Bit::Sign);
pub(crate) static IQ3_XXS: Codebook<256, 4> =
    Codebook::new(&grid::IQ3_XXS, &[4, 12, 20, 28, 36, 44, 52, 62], Bit::Sign);
pub(crate) static IQ3_S: Codebook<512, 4> =
    Codebook::new(&grid::IQ3_S, &[1, 3, 5, 7, 9, 11, 13, 15], Bit::Sign);

/// Magnitudes of IQ2.
const IQ2: &[i8] = &[8, 25, 43];

/// What the bit beside a pattern's weight says.
enum Bit {
    /// Minus: codes are the weight + 64.
    Sign,
    /// To shift down by an eighth, else up: codes are 8 times the weight, + 16.
    Shift,
}

impl<const N: usize, const L: usize> Codebook<N, L> {
    const fn new(patterns: &[[i8; L]; N], values: &[i8], bit: Bit) -> Self {
        assert!(N.is_power_of_two() && (L == 8 || L == 4) && values.len() <= 8);
        let mut book = Self {
            places: [[0; L]; N],
            planes: [[0; N]; 2],
            codes: [0; 16],
            by_six: [[0; 64]; 2],
        };
        let mut i = 0;
        while i < N * L {
            let (pattern, weight) = (i / L, i % L);
            let mut place = 0;
            while values[place] != patterns[pattern][weight] {
                place += 1;
            }
            book.places[pattern][weight] = place as i8;
            let [low, middle, high] = [place & 1, place >> 1 & 1, place >> 2];
            if L == 8 {
                book.planes[0][pattern] |= (low << weight) as u8;
                book.planes[1][pattern] |= (middle << weight) as u8;
            } else {
                book.planes[0][pattern] |= (low << weight | middle << (4 + weight)) as u8;
                book.planes[1][pattern] |= (high << weight) as u8;
            }
            i += 1;
        }
        let mut place = 0;
        while place < values.len() {
            let value = values[place];
            let (plus, minus) = match bit {
                Bit::Sign => (64 + value, 64 - value),
                Bit::Shift => (8 * value + 17, 8 * value + 15),
            };
            book.codes[place] = plus as u8;
            book.codes[place + MINUS as usize] = minus as u8;
            place += 1;
        }
        let mut six = 0;
        while six < 64 {
            // Bits 0, 1, 2 of the place and the sign.
            let [first, second] = if L == 8 {
                [
                    [six >> 3, six >> 1, 0, six >> 5],
                    [six >> 2, six, 0, six >> 4],
                ]
            } else {
                [[six >> 4, six >> 5, six, six >> 1]; 2]
            };
            book.by_six[0][six] = book.code(first);
            book.by_six[1][six] = book.code(second);
            six += 1;
        }
        book
    }

    /// The code by the low bits of four numbers.
    const fn code(&self, [low, middle, high, sign]: [usize; 4]) -> u8 {
        self.codes[low & 1 | (middle & 1) << 1 | (high & 1) << 2 | (sign & 1) << 3]
    }
}
