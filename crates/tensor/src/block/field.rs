//! Reading and writing the plain numbers inside a block.

use half::f16;

use crate::DType;

/// The f16 at byte `at`, widened (which is exact).
#[inline]
pub fn f16_at(block: &[u8], at: usize) -> f32 {
    f16::from_bits(u16_at(block, at)).to_f32()
}

/// The f32 at byte `at`.
#[inline]
pub fn f32_at(block: &[u8], at: usize) -> f32 {
    f32::from_bits(u32_at(block, at))
}

/// The u16 at byte `at`.
#[inline]
pub fn u16_at(block: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([block[at], block[at + 1]])
}

/// The u32 at byte `at`.
#[inline]
pub fn u32_at(block: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]])
}

/// Nibble `i` of a run of nibbles, the low one of each byte first.
#[inline]
pub fn nibble(bytes: &[u8], i: usize) -> u8 {
    (bytes[i / 2] >> (4 * (i % 2))) & 0x0f
}

/// Writes `value` as f16 at byte `at`, rounded to nearest, ties to even.
#[inline]
pub fn put_f16(block: &mut [u8], at: usize, value: f32) {
    block[at..at + 2].copy_from_slice(&f16::from_f32(value).to_le_bytes());
}

/// `value` as f16 would hold it.
#[inline]
pub fn round_f16(value: f32) -> f32 {
    f16::from_f32(value).to_f32()
}

/// Packs two codes a byte: the first half of them in low nibbles, the second in high ones.
pub(super) fn pack_halves(codes: &[u8], qs: &mut [u8]) {
    let (low, high) = codes.split_at(qs.len());
    for (byte, (low, high)) in qs.iter_mut().zip(low.iter().zip(high)) {
        *byte = low & 0x0f | high << 4;
    }
}

/// Stops the build when a module's sizes are not those of its [`DType`].
pub(crate) const fn assert_layout(dtype: DType, block_len: usize, block_bytes: usize) {
    assert!(
        dtype.block_len() == block_len,
        "block length differs from DType"
    );
    assert!(
        dtype.block_bytes() == block_bytes,
        "block size differs from DType"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_little_endian() {
        let bytes = [0x00, 0x3c, 0x00, 0x80, 0x3f];
        assert_eq!(f16_at(&bytes, 0), 1.0);
        assert_eq!(f32_at(&bytes, 1), f32::from_bits(0x3f80_003c));
        assert_eq!(u16_at(&bytes, 3), 0x3f80);
    }

    #[test]
    fn f16_writing_rounds_to_even() {
        let mut bytes = [0; 2];
        put_f16(&mut bytes, 0, 1.0 + f32::EPSILON);
        assert_eq!(f16_at(&bytes, 0), 1.0);
        put_f16(&mut bytes, 0, 2049.0);
        assert_eq!(f16_at(&bytes, 0), 2048.0);
    }
}
