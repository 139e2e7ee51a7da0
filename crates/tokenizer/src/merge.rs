//! The loop both kinds of BPE share: of all adjacent pairs that may merge, merge the best, until none may.
//!
//! Symbols form a doubly linked list and pairs wait in a heap, so a word of `n` symbols takes O(n log n).
//! A heap entry is one integer, priority above position: the smallest is the best pair, leftmost first.
//! Entries are not removed when a neighbour merges; each symbol knows the priority of the pair it starts
//! now, and an entry that says otherwise is skipped.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// No neighbour, no pair, no token.
pub(crate) const NONE: u32 = u32::MAX;

/// Words must be shorter than this many bytes: positions are 32 bits.
pub(crate) const MAX_WORD: usize = 1 << 31;

/// A part of a word.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Symbol {
    /// What the rules know it by; [`NONE`] if they do not.
    pub(crate) id: u32,
    /// First byte in the word.
    pub(crate) start: u32,
    /// Length in bytes.
    pub(crate) len: u32,
    prev: u32,
    next: u32,
    /// Priority and result of merging with `next`; [`NONE`] if that is not allowed.
    priority: u32,
    merged: u32,
}

/// Buffers for merging one word after the other.
#[derive(Debug, Default)]
pub(crate) struct Merger {
    symbols: Vec<Symbol>,
    queue: BinaryHeap<Reverse<u64>>,
}

impl Merger {
    /// Starts a word.
    pub(crate) fn clear(&mut self) {
        self.symbols.clear();
    }

    /// Appends a symbol of `len` bytes to the word.
    pub(crate) fn push(&mut self, id: u32, len: usize) {
        let at = self.symbols.len() as u32;
        let mut start = 0;
        if let Some(last) = self.symbols.last_mut() {
            last.next = at;
            start = last.start + last.len;
        }
        let prev = at.wrapping_sub(1); // NONE for the first
        let len = len as u32;
        let none = Symbol {
            id,
            start,
            len,
            prev,
            next: NONE,
            priority: NONE,
            merged: NONE,
        };
        self.symbols.push(none);
    }

    /// Merges until `rule` allows no more, and returns the symbols left, in order.
    ///
    /// `rule(left, right)` is the priority of merging two neighbours, smaller is better and below
    /// [`NONE`], and the id of the result.
    pub(crate) fn run(
        &mut self,
        mut rule: impl FnMut(&Symbol, &Symbol) -> Option<(u32, u32)>,
    ) -> impl Iterator<Item = &Symbol> {
        let symbols = &mut self.symbols;
        let mut entries = std::mem::take(&mut self.queue).into_vec();
        entries.clear();
        for left in 0..symbols.len() as u32 {
            entries.extend(look_at(symbols, left, &mut rule));
        }
        self.queue = entries.into(); // in one go: O(n)
        while let Some(Reverse(entry)) = self.queue.pop() {
            let (priority, left) = ((entry >> 32) as u32, entry as u32);
            let Symbol {
                next: right,
                merged,
                prev,
                priority: now,
                ..
            } = symbols[left as usize];
            if priority != now {
                continue;
            }
            let Symbol { len, next, .. } = symbols[right as usize];
            // Dead symbols start no pair, so entries about them are skipped.
            let dead = &mut symbols[right as usize];
            (dead.len, dead.priority) = (0, NONE);
            let grown = &mut symbols[left as usize];
            (grown.id, grown.next) = (merged, next);
            grown.len += len;
            if next != NONE {
                symbols[next as usize].prev = left;
            }
            self.queue.extend(look_at(symbols, left, &mut rule));
            if prev != NONE {
                self.queue.extend(look_at(symbols, prev, &mut rule));
            }
        }
        self.symbols.iter().filter(|symbol| symbol.len > 0)
    }
}

/// Notes at `left` whether it may merge with its right neighbour, and returns the heap entry if so.
fn look_at(
    symbols: &mut [Symbol],
    left: u32,
    rule: &mut impl FnMut(&Symbol, &Symbol) -> Option<(u32, u32)>,
) -> Option<Reverse<u64>> {
    let symbol = &symbols[left as usize];
    let right = symbols.get(symbol.next as usize); // NONE is out of range
    let pair = right.and_then(|right| rule(symbol, right));
    let (priority, merged) = pair.unwrap_or((NONE, NONE));
    let symbol = &mut symbols[left as usize];
    (symbol.priority, symbol.merged) = (priority, merged);
    pair.map(|(priority, _)| Reverse(u64::from(priority) << 32 | u64::from(left)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Merges by a table of `(left, right) -> (priority, merged)`, spelled in characters.
    fn merge(word: &str, rules: &[(char, char, char)]) -> String {
        let mut merger = Merger::default();
        merger.clear();
        word.chars().for_each(|c| merger.push(u32::from(c), 1));
        let rule = |left: &Symbol, right: &Symbol| {
            let found = rules
                .iter()
                .position(|&(l, r, _)| (left.id, right.id) == (u32::from(l), u32::from(r)))?;
            Some((found as u32, u32::from(rules[found].2)))
        };
        merger
            .run(rule)
            .map(|symbol| char::from_u32(symbol.id).unwrap())
            .collect()
    }

    #[test]
    fn best_pair_first_then_leftmost() {
        assert_eq!(merge("abc", &[('b', 'c', 'X'), ('a', 'b', 'Y')]), "aX");
        assert_eq!(merge("aaa", &[('a', 'a', 'A')]), "Aa");
        assert_eq!(merge("aaaaa", &[('a', 'a', 'A'), ('A', 'A', 'B')]), "Ba");
        assert_eq!(merge("", &[]), "");
    }

    /// The definition, by repeated scanning, on every word over three letters up to length 7.
    #[test]
    fn equals_the_definition() {
        let rules = [
            ('a', 'b', 'c'),
            ('c', 'c', 'a'),
            ('b', 'a', 'b'),
            ('a', 'a', 'c'),
        ];
        for n in 0..3u32.pow(7) {
            let word: String = (0..7)
                .map(|i| ['a', 'b', 'c'][(n / 3u32.pow(i) % 3) as usize])
                .collect();
            let mut expected: Vec<char> = word.chars().collect();
            while let Some((_, at, merged)) = (0..expected.len().saturating_sub(1))
                .filter_map(|at| {
                    let pair =
                        |r: &(char, char, char)| (r.0, r.1) == (expected[at], expected[at + 1]);
                    rules
                        .iter()
                        .position(pair)
                        .map(|rank| (rank, at, rules[rank].2))
                })
                .min()
            {
                expected.splice(at..at + 2, [merged]);
            }
            assert_eq!(
                merge(&word, &rules),
                expected.iter().collect::<String>(),
                "{word}"
            );
        }
    }

    /// The work is linear but for the heap: each symbol is looked at once, and twice more per merge.
    #[test]
    fn rules_are_asked_at_most_three_times_per_symbol() {
        for word in [
            "a".repeat(100_000),
            "ab".repeat(50_000),
            "abc".repeat(30_000),
        ] {
            let mut n_asked = 0;
            let mut merger = Merger::default();
            word.chars().for_each(|c| merger.push(u32::from(c), 1));
            let merged = merger.run(|left, right| {
                n_asked += 1;
                (left.len == right.len).then_some((left.len, left.id))
            });
            assert!(merged.count() < 20);
            assert!(
                n_asked <= 3 * word.len(),
                "{n_asked} for {} symbols",
                word.len()
            );
        }
    }
}
