//! Reading numbers and strings from front to back, with every length checked against what is left.

use super::value::Number;
use crate::Error;

/// A place in the bytes of a file.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Whether counts and lengths are u32 (version 1) and not u64.
    short: bool,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            short: false,
        }
    }

    /// Bytes read so far.
    pub(super) fn position(&self) -> u64 {
        self.at as u64
    }

    /// Bytes not read yet.
    pub(super) fn left(&self) -> u64 {
        (self.bytes.len() - self.at) as u64
    }

    /// The next `len` bytes.
    pub(super) fn take(&mut self, what: &'static str, len: u64) -> Result<&'a [u8], Error> {
        if len > self.left() {
            return Err(Error::Truncated {
                what,
                at: self.position(),
                needed: len,
                left: self.left(),
            });
        }
        let start = self.at;
        self.at += usize::try_from(len).expect("no more than what is left of a slice");
        Ok(&self.bytes[start..self.at])
    }

    /// The next number.
    pub(super) fn number<T: Number>(&mut self, what: &'static str) -> Result<T, Error> {
        Ok(T::from_le(self.take(what, size_of::<T>() as u64)?))
    }

    /// From here on counts and lengths are u32, as in version 1.
    pub(super) fn use_short_lengths(&mut self) {
        self.short = true;
    }

    /// Bytes of a count or length.
    pub(super) fn length_bytes(&self) -> u64 {
        if self.short { 4 } else { 8 }
    }

    /// The next count or length.
    pub(super) fn length(&mut self, what: &'static str) -> Result<u64, Error> {
        if self.short {
            self.number::<u32>(what).map(u64::from)
        } else {
            self.number(what)
        }
    }

    /// A count of things of which each takes at least `min_bytes` of what follows.
    pub(super) fn count(
        &self,
        what: &'static str,
        count: u64,
        min_bytes: u64,
    ) -> Result<usize, Error> {
        let limit = self.left() / min_bytes;
        match usize::try_from(count) {
            Ok(fitting) if count <= limit => Ok(fitting),
            _ => Err(Error::Count {
                what,
                count,
                limit,
                left: self.left(),
            }),
        }
    }

    /// A length and that many bytes, `min` to `max` of them.
    pub(super) fn string(
        &mut self,
        what: &'static str,
        min: u64,
        max: u64,
    ) -> Result<&'a [u8], Error> {
        let at = self.position();
        let len = self.length(what)?;
        if len < min || len > max {
            return Err(Error::Length {
                what,
                at,
                found: len,
                min,
                max,
            });
        }
        self.take(what, len)
    }

    /// A string that must be UTF-8: a key or a name.
    ///
    /// It is copied first and checked then: what lies in a mapped file could change in between.
    pub(super) fn name(&mut self, what: &'static str, max: u64) -> Result<String, Error> {
        let bytes = self.string(what, 1, max)?.to_vec();
        String::from_utf8(bytes).map_err(|error| Error::Utf8 {
            what,
            at: error.utf8_error().valid_up_to(),
            found: String::from_utf8_lossy(error.as_bytes()).into_owned(),
        })
    }
}
