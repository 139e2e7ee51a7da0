//! Token text to id, without a second copy of the texts.
//!
//! An open-addressing table of ids only: 4 bytes per slot instead of a map's key and value. The hash is
//! seeded, so a file cannot hold texts that were chosen to collide.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;

const EMPTY: u32 = u32::MAX;

/// Finds the id of a text among `texts`.
#[derive(Debug, Clone)]
pub(crate) struct TextIndex {
    /// A power of two of slots, at most half of them taken.
    slots: Vec<u32>,
    hasher: RandomState,
}

impl TextIndex {
    /// Indexes all of `texts`. Of equal texts the first is found.
    pub(crate) fn new(texts: &[String]) -> Self {
        let n_slots = (texts.len() * 2).next_power_of_two().max(2);
        let mut index = Self {
            slots: vec![EMPTY; n_slots],
            hasher: RandomState::default(),
        };
        for (id, text) in texts.iter().enumerate() {
            let slot = index.slot(texts, text);
            if index.slots[slot] == EMPTY {
                index.slots[slot] = id as u32;
            }
        }
        index
    }

    /// Id of `text`; `texts` must be those of [`TextIndex::new`].
    pub(crate) fn get(&self, texts: &[String], text: &str) -> Option<u32> {
        let id = self.slots[self.slot(texts, text)];
        (id != EMPTY).then_some(id)
    }

    /// The slot that holds `text`, or the empty one where it belongs.
    fn slot(&self, texts: &[String], text: &str) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = self.hasher.hash_one(text) as usize & mask;
        while self.slots[slot] != EMPTY && texts[self.slots[slot] as usize] != text {
            slot = (slot + 1) & mask;
        }
        slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_each_text_and_the_first_of_equals() {
        let texts: Vec<String> = ["a", "bb", "", "a", "ccc"].map(String::from).to_vec();
        let index = TextIndex::new(&texts);
        assert_eq!(index.get(&texts, "a"), Some(0));
        assert_eq!(index.get(&texts, "ccc"), Some(4));
        assert_eq!(index.get(&texts, ""), Some(2));
        assert_eq!(index.get(&texts, "b"), None);
        assert_eq!(TextIndex::new(&[]).get(&[], "a"), None);
    }
}
