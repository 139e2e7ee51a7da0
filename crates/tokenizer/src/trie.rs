//! A byte trie in flat arrays, for longest-match and all-prefixes queries.
//!
//! Children of a node lie next to each other, sorted by byte, so a node is twelve bytes and building takes
//! one sort plus one pass over all keys. Nothing is recursive: keys may be as long as they like.

/// Marks a node that ends no key.
const NONE: u32 = u32::MAX;

/// A set of byte strings, each with an id.
#[derive(Debug, Clone)]
pub(crate) struct Trie {
    nodes: Vec<Node>,
    /// Byte on the edge into node `i`.
    labels: Vec<u8>,
    /// Whether a key starts with this byte: rejects most positions of a text without a search.
    starts: [bool; 256],
}

#[derive(Debug, Clone, Copy)]
struct Node {
    first_child: u32,
    n_children: u32,
    value: u32,
}

impl Trie {
    /// Builds from `(key, id)` pairs. Empty keys are dropped; of equal keys the first stays.
    ///
    /// The keys together must be shorter than 2^32 bytes; the vocabulary checks that.
    pub(crate) fn new<'a>(keys: impl IntoIterator<Item = (&'a [u8], u32)>) -> Self {
        let mut keys: Vec<(&[u8], u32)> = keys
            .into_iter()
            .filter(|(key, _)| !key.is_empty())
            .collect();
        keys.sort_by_key(|&(key, _)| key); // stable, so the first of equal keys stays first
        keys.dedup_by_key(|(key, _)| *key);

        let mut trie = Self {
            nodes: vec![Node {
                first_child: 0,
                n_children: 0,
                value: NONE,
            }],
            labels: vec![0],
            starts: [false; 256],
        };
        for (key, _) in &keys {
            trie.starts[usize::from(key[0])] = true;
        }
        // Node i covers keys[lo..hi], which agree in their first `depth` bytes. Nodes are appended in
        // breadth-first order, so `ranges` grows in step with `nodes`.
        let mut ranges = vec![(0, keys.len(), 0)];
        let mut node = 0;
        while node < ranges.len() {
            let (mut lo, hi, depth) = ranges[node];
            if lo < hi && keys[lo].0.len() == depth {
                trie.nodes[node].value = keys[lo].1;
                lo += 1;
            }
            trie.nodes[node].first_child = trie.nodes.len() as u32;
            while lo < hi {
                let byte = keys[lo].0[depth];
                let n = keys[lo..hi].partition_point(|(key, _)| key[depth] == byte);
                trie.nodes.push(Node {
                    first_child: 0,
                    n_children: 0,
                    value: NONE,
                });
                trie.labels.push(byte);
                ranges.push((lo, lo + n, depth + 1));
                trie.nodes[node].n_children += 1;
                lo += n;
            }
            node += 1;
        }
        trie
    }

    /// Whether there is no key at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.nodes.len() == 1
    }

    /// The longest key that `text` starts with: its length and id.
    pub(crate) fn longest(&self, text: &[u8]) -> Option<(usize, u32)> {
        self.prefixes(text).last()
    }

    /// All keys that `text` starts with, shortest first: lengths and ids.
    pub(crate) fn prefixes<'a>(
        &'a self,
        text: &'a [u8],
    ) -> impl Iterator<Item = (usize, u32)> + 'a {
        let rejected = text
            .first()
            .is_none_or(|&byte| !self.starts[usize::from(byte)]);
        let mut node = if rejected { None } else { Some(0) };
        let mut depth = 0;
        std::iter::from_fn(move || {
            loop {
                let next = self.child(node?, *text.get(depth)?);
                node = next;
                depth += 1;
                let value = self.nodes[next? as usize].value;
                if value != NONE {
                    return Some((depth, value));
                }
            }
        })
    }

    fn child(&self, node: u32, byte: u8) -> Option<u32> {
        let Node {
            first_child,
            n_children,
            ..
        } = self.nodes[node as usize];
        let labels = &self.labels[first_child as usize..(first_child + n_children) as usize];
        labels
            .binary_search(&byte)
            .ok()
            .map(|i| first_child + i as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_come_shortest_first() {
        let keys: [(&[u8], u32); 5] = [(b"abc", 0), (b"a", 1), (b"b", 2), (b"abcd", 3), (b"a", 4)];
        let trie = Trie::new(keys);
        assert_eq!(trie.prefixes(b"abcx").collect::<Vec<_>>(), [(1, 1), (3, 0)]);
        assert_eq!(trie.longest(b"abcde"), Some((4, 3)));
        assert_eq!(trie.longest(b"xabc"), None);
        assert_eq!(trie.longest(b""), None);
    }

    #[test]
    fn empty_keys_and_empty_tries_match_nothing() {
        assert!(Trie::new([]).is_empty());
        assert_eq!(Trie::new([(b"".as_slice(), 7)]).longest(b"abc"), None);
    }
}
