//! SentencePiece's precompiled normalisation: strings to replace, as a double-array trie.
//!
//! Layout, little-endian: `u32` size of the trie in bytes, the trie's 32-bit units, then the replacements,
//! each ended by a zero byte. A unit (Darts-clone's; Yata et al. 2007, "A compact static double-array")
//! packs bits 0-7 label, 8 has-value, 9 wide-offset, 10-30 offset; in a value unit, bits 0-30 are the
//! position of the replacement. A child of `unit` at position `p` by byte `c` is at `p ^ offset(unit) ^ c`.

use crate::Error;

/// No rule of a real table is longer: they replace single characters and short sequences of marks. The
/// bound keeps a hostile table, whose units may form a cycle, from scanning the whole text at each position.
const MAX_KEY: usize = 256;

/// A parsed normalisation table.
#[derive(Debug, Clone)]
pub(crate) struct CharsMap {
    units: Vec<u32>,
    replacements: String,
}

impl CharsMap {
    /// Parses the blob; an empty one is an empty table.
    pub(crate) fn new(blob: &[u8]) -> Result<Self, Error> {
        if blob.is_empty() {
            return Ok(Self {
                units: vec![],
                replacements: String::new(),
            });
        }
        let bad = |expected: String, found: String| Error::Charsmap { expected, found };
        let (size, rest) = blob
            .split_first_chunk()
            .ok_or_else(|| bad("a size of 4 bytes".into(), format!("{} bytes", blob.len())))?;
        let size = u32::from_le_bytes(*size) as usize;
        if size > rest.len() || !size.is_multiple_of(4) {
            let found = format!("{size} with {} bytes after it", rest.len());
            return Err(bad(
                "a trie size that is a multiple of 4 and fits".into(),
                found,
            ));
        }
        let (units, replacements) = rest.split_at(size);
        let units = units
            .chunks_exact(4)
            .map(|unit| u32::from_le_bytes(unit.try_into().expect("chunks are 4 bytes")));
        let replacements = std::str::from_utf8(replacements)
            .map_err(|error| bad("replacements in UTF-8".into(), error.to_string()))?;
        Ok(Self {
            units: units.collect(),
            replacements: replacements.to_owned(),
        })
    }

    /// The longest rule that `text` starts with: how many bytes it replaces, and with what.
    pub(crate) fn longest(&self, text: &str) -> Option<(usize, &str)> {
        let mut found = None;
        self.rules(text, |len, value| {
            found = Some((len, value));
            true
        });
        let (len, position) = found.filter(|&(len, _)| text.is_char_boundary(len))?;
        Some((len, self.replacement(position)?))
    }

    /// What the shortest rule that `text` starts with puts in its place.
    pub(crate) fn shortest(&self, text: &str) -> Option<&str> {
        let mut found = None;
        self.rules(text, |_, value| {
            found = Some(value);
            false
        });
        self.replacement(found?)
    }

    /// Length of the longest text that a rule can put somewhere.
    pub(crate) fn longest_replacement(&self) -> usize {
        self.replacements
            .split('\0')
            .map(str::len)
            .max()
            .unwrap_or(0)
    }

    fn replacement(&self, position: u32) -> Option<&str> {
        let replacement = self.replacements.get(position as usize..)?;
        Some(replacement.split('\0').next().unwrap_or_default())
    }

    /// Tells `each` the length and the value of every rule that `text` starts with, until it has enough.
    fn rules(&self, text: &str, mut each: impl FnMut(usize, u32) -> bool) {
        let Some(&root) = self.units.first() else {
            return;
        };
        let mut at = offset(root);
        for (i, &byte) in text.as_bytes().iter().take(MAX_KEY).enumerate() {
            at ^= u32::from(byte);
            let Some(&unit) = self.units.get(at as usize) else {
                break;
            };
            if byte == 0 || label(unit) != u32::from(byte) {
                break;
            }
            at ^= offset(unit);
            if has_value(unit) {
                let value = self.units.get(at as usize).map(|unit| unit & 0x7fff_ffff);
                if value.is_some_and(|value| !each(i + 1, value)) {
                    break;
                }
            }
        }
    }
}

/// Distance to the children, in units.
fn offset(unit: u32) -> u32 {
    (unit >> 10) << ((unit & 1 << 9) >> 6)
}

/// The byte on the edge into the unit; bit 31 marks a value unit, which no byte matches.
fn label(unit: u32) -> u32 {
    unit & (1 << 31 | 0xff)
}

fn has_value(unit: u32) -> bool {
    unit >> 8 & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table with one rule, `A` to `xyz`, its units placed by hand.
    fn one_rule() -> Vec<u8> {
        let mut units = vec![0u32; 256];
        units[0] = 1 << 10; // children of the root at 1 ^ byte
        let a = 1 ^ usize::from(b'A');
        let value = a ^ 2; // children of `A` at a ^ 2; its value has label 0
        units[a] = u32::from(b'A') | 1 << 8 | 2 << 10;
        units[value] = 1 << 31;
        let mut blob = (units.len() as u32 * 4).to_le_bytes().to_vec();
        blob.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
        blob.extend(b"xyz\0");
        blob
    }

    #[test]
    fn replaces_the_longest_key() {
        let map = CharsMap::new(&one_rule()).unwrap();
        assert_eq!(map.longest("AB"), Some((1, "xyz")));
        assert_eq!(map.longest("BA"), None);
        assert_eq!(map.longest(""), None);
        assert_eq!((map.shortest("AB"), map.shortest("B")), (Some("xyz"), None));
        assert_eq!(map.longest_replacement(), 3);
        assert_eq!(CharsMap::new(&[]).unwrap().longest("A"), None);
    }

    #[test]
    fn a_cut_or_lying_blob_is_an_error() {
        let blob = one_rule();
        for len in 1..blob.len() - 4 {
            assert!(CharsMap::new(&blob[..len]).is_err(), "{len}");
        }
        assert!(CharsMap::new(&[3, 0, 0, 0, 1, 2, 3]).is_err());
    }
}
