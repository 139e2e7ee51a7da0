//! SentencePiece BPE: the adjacent pair whose joined text is the token with the highest score becomes one
//! symbol, again and again; what is no token in the end is written as bytes (Kudo & Richardson 2018,
//! arXiv:1808.06226).
//!
//! The whole text is one word here, so the pairs wait in a heap: O(n log n).
//! Of SentencePiece's normalisation only the escaped space is done: GGUF stores no more for this kind.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::tables::VocabTables;
use crate::vocab::{SPACE, Vocab};

/// No neighbour.
const END: usize = usize::MAX;

/// What SentencePiece BPE needs besides the vocabulary.
#[derive(Debug, Clone)]
pub(crate) struct SentencePiece {
    pub(crate) add_space_prefix: bool,
    byte_ids: [Option<u32>; 256],
    /// No token is longer, so longer texts need no lookup.
    max_len: usize,
}

/// Part of the text in a doubly linked list; empty once merged into its left neighbour.
struct Symbol {
    start: usize,
    len: usize,
    prev: usize,
    next: usize,
}

/// A pair that could become one token. The greatest is merged first.
struct Candidate {
    score: f32,
    left: usize,
    /// Length of both texts: tells whether either has changed since.
    len: usize,
}

impl SentencePiece {
    pub(crate) fn new(tables: &VocabTables, vocab: &Vocab) -> Self {
        Self {
            add_space_prefix: tables.add_space_prefix.unwrap_or(true),
            byte_ids: std::array::from_fn(|byte| vocab.byte_id(byte as u8)),
            max_len: vocab.texts.iter().map(String::len).max().unwrap_or(0),
        }
    }

    /// Appends the tokens of `text`, which follows a special token or starts the input if `at_start`.
    pub(crate) fn encode(&self, vocab: &Vocab, text: &str, at_start: bool, out: &mut Vec<u32>) {
        let prefix = if at_start && self.add_space_prefix {
            SPACE
        } else {
            ""
        };
        let text = format!("{prefix}{}", text.replace(' ', SPACE));
        let mut symbols: Vec<Symbol> = Vec::with_capacity(text.len());
        for (start, c) in text.char_indices() {
            let at = symbols.len();
            let prev = at.checked_sub(1).unwrap_or(END);
            symbols.push(Symbol {
                start,
                len: c.len_utf8(),
                prev,
                next: at + 1,
            });
        }
        if let Some(last) = symbols.last_mut() {
            last.next = END;
        }
        self.merge(vocab, &text, &mut symbols);
        for symbol in symbols.iter().filter(|symbol| symbol.len > 0) {
            let text = &text[symbol.start..symbol.start + symbol.len];
            match vocab.text_id(text) {
                Some(id) => out.push(id),
                None => {
                    let id = |byte: u8| self.byte_ids[usize::from(byte)].or(vocab.special.unk);
                    out.extend(text.bytes().filter_map(id));
                }
            }
        }
    }

    fn merge(&self, vocab: &Vocab, text: &str, symbols: &mut [Symbol]) {
        let mut queue = BinaryHeap::new();
        for left in 0..symbols.len() {
            self.consider(vocab, text, symbols, &mut queue, left);
        }
        while let Some(Candidate { left, len, .. }) = queue.pop() {
            let right = symbols[left].next;
            let changed = right == END
                || symbols[left].len == 0
                || symbols[left].len + symbols[right].len != len;
            if changed {
                continue;
            }
            let next = symbols[right].next;
            symbols[left].len = len;
            symbols[left].next = next;
            symbols[right].len = 0;
            if next != END {
                symbols[next].prev = left;
            }
            self.consider(vocab, text, symbols, &mut queue, left);
            if symbols[left].prev != END {
                self.consider(vocab, text, symbols, &mut queue, symbols[left].prev);
            }
        }
    }

    /// Queues the pair that starts at `left` if its text is a token.
    fn consider(
        &self,
        vocab: &Vocab,
        text: &str,
        symbols: &[Symbol],
        queue: &mut BinaryHeap<Candidate>,
        left: usize,
    ) {
        let Symbol { start, next, .. } = symbols[left];
        if next == END {
            return;
        }
        let len = symbols[left].len + symbols[next].len;
        if len > self.max_len {
            return;
        }
        if let Some(id) = vocab.text_id(&text[start..start + len]) {
            queue.push(Candidate {
                score: vocab.scores[id as usize],
                left,
                len,
            });
        }
    }
}

impl Ord for Candidate {
    /// By score, then leftmost first.
    fn cmp(&self, other: &Self) -> Ordering {
        self.score
            .total_cmp(&other.score)
            .then(other.left.cmp(&self.left))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Candidate {}
