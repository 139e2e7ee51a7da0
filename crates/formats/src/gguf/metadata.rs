//! The key-value part of a file: ordered, looked up by name, read by type.

use super::get::FromValue;
use super::value::Value;
use crate::Error;
use crate::name_index::NameIndex;

/// Metadata: keys and typed values in file order, each key once.
#[derive(Clone, Debug, Default)]
pub struct Metadata {
    entries: Vec<(Box<str>, Value)>,
    index: NameIndex,
}

impl Metadata {
    /// No entries yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The entries of a file; the error is [`Error::Duplicate`].
    pub(super) fn from_entries(entries: Vec<(Box<str>, Value)>) -> Result<Self, Error> {
        match NameIndex::new(entries.len(), |i| &entries[i].0) {
            Ok(index) => Ok(Self { entries, index }),
            Err(twice) => Err(Error::Duplicate {
                what: "metadata key",
                name: entries[twice].0.to_string(),
            }),
        }
    }

    /// The value of a key, as typed in the file.
    pub fn get(&self, key: &str) -> Option<&Value> {
        Some(&self.entries[self.find(key)?].1)
    }

    /// The value of a key as a `T`; `None` if there is no such key.
    ///
    /// Errors: [`Error::WrongType`] if there is one and its value is of another kind or out of range.
    pub fn opt<'a, T: FromValue<'a>>(&'a self, key: &str) -> Result<Option<T>, Error> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        match T::from_value(value) {
            Some(value) => Ok(Some(value)),
            None => Err(Error::WrongType {
                key: key.to_owned(),
                expected: T::expected(),
                found: value.to_string(),
            }),
        }
    }

    /// The value of a key as a `T`.
    ///
    /// Errors: as [`opt`](Self::opt), and [`Error::MissingKey`] if there is no such key.
    pub fn require<'a, T: FromValue<'a>>(&'a self, key: &str) -> Result<T, Error> {
        self.opt(key)?.ok_or_else(|| Error::MissingKey {
            key: key.to_owned(),
            expected: T::expected(),
        })
    }

    /// Sets a key: in its place if it is there already, at the end otherwise.
    pub fn insert(&mut self, key: &str, value: Value) {
        match self.find(key) {
            Some(at) => self.entries[at].1 = value,
            None => {
                let entries = &self.entries;
                self.index.push(key, |i| &entries[i].0);
                self.entries.push((key.into(), value));
            }
        }
    }

    /// Keys and values in file order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.entries.iter().map(|(key, value)| (&**key, value))
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn find(&self, key: &str) -> Option<usize> {
        self.index.find(key, |i| &self.entries[i].0)
    }
}

/// Equal if the same keys have the same values in the same order.
impl PartialEq for Metadata {
    fn eq(&self, other: &Self) -> bool {
        self.entries == other.entries
    }
}
