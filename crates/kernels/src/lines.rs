//! Memory that begins at a cache line.

use std::ops::{Deref, DerefMut};

const LINE_BYTES: usize = 64;

/// Numbers of a fixed count that begin at a cache line, so that a vector lies in one: what lies in two takes twice as
/// long to load. (The system's allocator gives multiples of 16 bytes, and of large pieces none that is at a line.)
pub(crate) struct Lines<T> {
    /// Begins somewhere; it never grows, so where lines begin in it stays true.
    data: Vec<T>,
    start: usize,
    len: usize,
}

impl<T: Copy> Lines<T> {
    /// `len` times `value`. Memory of zeros is asked for here and touched when it is first used.
    pub(crate) fn new(value: T, len: usize) -> Self {
        // As many more as may be needed to get to a line; the size of `T` divides a line's or is a multiple of it.
        let data = vec![value; len + LINE_BYTES.div_ceil(size_of::<T>())];
        let start = match data.as_ptr().align_offset(LINE_BYTES) {
            // Where addresses cannot be known (in an interpreter), any place will do.
            usize::MAX => 0,
            start => start,
        };
        Self { data, start, len }
    }
}

impl<T> Deref for Lines<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        &self.data[self.start..][..self.len]
    }
}

impl<T> DerefMut for Lines<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.data[self.start..][..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_begin_at_a_line() {
        for len in [0, 1, 5, 100, 1 << 20] {
            let mut bytes = Lines::new(1_u8, len);
            assert!(bytes.len() == len && bytes.iter().all(|&x| x == 1));
            bytes.fill(2);
            assert_eq!(bytes.as_ptr().addr() % LINE_BYTES, 0);
            let floats = Lines::new(0.0_f32, len);
            assert_eq!(
                (floats.len(), floats.as_ptr().addr() % LINE_BYTES),
                (len, 0)
            );
        }
    }
}
