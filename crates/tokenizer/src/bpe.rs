//! Byte-pair encoding: inside each piece, the adjacent pair with the best merge rule becomes one symbol,
//! again and again (Sennrich et al. 2016, arXiv:1508.07909; over bytes: Radford et al. 2019).
//!
//! A symbol is a token id. Merge rules may name strings that are not tokens; those get ids past the
//! vocabulary's end, so that merging needs no strings at all, and fall back to bytes when they are left over.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::ops::Range;

use crate::pretokenizer::PreTokenizer;
use crate::tables::VocabTables;
use crate::vocab::{SPACE, Vocab};
use crate::{Error, byte_level};

/// A character that is neither token nor part of a merge rule.
const NO_SYMBOL: u32 = u32::MAX;
/// No neighbour.
const END: usize = usize::MAX;

/// Merge rules and pre-tokenizer of one vocabulary.
#[derive(Debug, Clone)]
pub(crate) struct Bpe {
    pre: PreTokenizer,
    /// `(left, right)` symbols to the rule's rank and the symbol they become.
    merges: HashMap<(u32, u32), (u32, u32)>,
    /// Strings of merge rules that are not tokens.
    extra: HashMap<String, u32>,
    /// Token of each single byte.
    byte_ids: [Option<u32>; 256],
    /// Symbol of each single byte; byte-level only.
    byte_symbols: Vec<u32>,
}

/// One symbol in a doubly linked list over a piece. A merged-away symbol has `id` [`NO_SYMBOL`].
#[derive(Debug, Clone)]
struct Symbol {
    id: u32,
    prev: usize,
    next: usize,
    bytes: Range<usize>,
}

/// Rank, position and the two ids of a possible merge: the smallest comes first.
type Candidate = Reverse<(u32, usize, u32, u32)>;

/// Buffers that live as long as one call of [`Bpe::encode`].
#[derive(Default)]
struct Scratch {
    symbols: Vec<Symbol>,
    queue: BinaryHeap<Candidate>,
    /// A piece in the byte alphabet.
    text: String,
}

impl Bpe {
    pub(crate) fn new(
        tables: &mut VocabTables,
        vocab: &Vocab,
        pre: PreTokenizer,
    ) -> Result<Self, Error> {
        let rules = std::mem::take(&mut tables.merges);
        if rules.is_empty() && tables.pre != "kimi-k2" {
            return Err(Error::Missing {
                kind: vocab.kind.name(),
                table: "merges",
            });
        }
        let mut bpe = Self {
            pre,
            merges: HashMap::with_capacity(rules.len()),
            extra: HashMap::new(),
            byte_ids: [None; 256],
            byte_symbols: Vec::new(),
        };
        let mut joined = String::new();
        for (rank, rule) in rules.iter().enumerate() {
            let bad = || Error::Merge {
                index: rank,
                text: rule.clone(),
            };
            // From the second byte on, because a part may itself start with a space.
            let space = rule
                .bytes()
                .skip(1)
                .position(|byte| byte == b' ')
                .ok_or_else(bad)?
                + 1;
            let (left, right) = (&rule[..space], &rule[space + 1..]);
            if right.is_empty() {
                return Err(bad());
            }
            joined.clear();
            joined.push_str(left);
            joined.push_str(right);
            let [left, right, merged] = [left, right, &joined].map(|part| bpe.symbol(vocab, part));
            bpe.merges
                .entry((left, right))
                .or_insert((rank as u32, merged));
        }
        for byte in 0..=255u8 {
            let text = byte_level::char_of(byte).to_string();
            bpe.byte_ids[usize::from(byte)] = if bpe.pre.traits.plain_text {
                vocab.byte_id(byte)
            } else {
                vocab.text_id(&text)
            };
            let symbol = bpe.known_symbol(vocab, &text);
            bpe.byte_symbols.push(symbol);
        }
        Ok(bpe)
    }

    /// Appends the tokens of `text`.
    pub(crate) fn encode(&self, vocab: &Vocab, text: &str, out: &mut Vec<u32>) {
        let mut scratch = Scratch::default();
        if self.pre.traits.plain_text {
            let text = text.replace(' ', SPACE);
            self.pre.split(&text, |piece| {
                self.encode_piece(vocab, piece, &mut scratch, out)
            });
        } else {
            self.pre.split(text, |piece| {
                self.encode_piece(vocab, piece, &mut scratch, out)
            });
        }
    }

    fn encode_piece(&self, vocab: &Vocab, piece: &str, scratch: &mut Scratch, out: &mut Vec<u32>) {
        let plain = self.pre.traits.plain_text;
        // Newlines of SPM-style vocabularies are tokens without merge rules.
        if self.pre.traits.ignore_merges || (plain && piece.starts_with('\n')) {
            let text = if plain {
                piece
            } else {
                scratch.text.clear();
                scratch.text.extend(piece.bytes().map(byte_level::char_of));
                &scratch.text
            };
            if let Some(id) = vocab.text_id(text) {
                return out.push(id);
            }
        }
        scratch.symbols.clear();
        if plain {
            for (start, c) in piece.char_indices() {
                let bytes = start..start + c.len_utf8();
                let id = self.known_symbol(vocab, &piece[bytes.clone()]);
                push_symbol(&mut scratch.symbols, id, bytes);
            }
        } else {
            for (i, byte) in piece.bytes().enumerate() {
                push_symbol(
                    &mut scratch.symbols,
                    self.byte_symbols[usize::from(byte)],
                    i..i + 1,
                );
            }
        }
        self.merge(scratch);
        for symbol in scratch
            .symbols
            .iter()
            .filter(|symbol| !symbol.bytes.is_empty())
        {
            if (symbol.id as usize) < vocab.len() {
                out.push(symbol.id);
            } else {
                let bytes = &piece.as_bytes()[symbol.bytes.clone()];
                let id = |byte: &u8| self.byte_ids[usize::from(*byte)].or(vocab.special.unk);
                out.extend(bytes.iter().filter_map(id));
            }
        }
    }

    /// Merges until no rule applies: O(n log n) in the number of symbols.
    fn merge(&self, scratch: &mut Scratch) {
        let Scratch { symbols, queue, .. } = scratch;
        queue.clear();
        for right in 1..symbols.len() {
            self.consider(symbols, queue, right - 1, right);
        }
        while let Some(Reverse((_, left, left_id, right_id))) = queue.pop() {
            let right = symbols[left].next;
            // Either symbol may have been merged since the pair was queued.
            if symbols[left].id != left_id || right == END || symbols[right].id != right_id {
                continue;
            }
            let Some(&(_, merged)) = self.merges.get(&(left_id, right_id)) else {
                continue;
            };
            let next = symbols[right].next;
            symbols[left].id = merged;
            symbols[left].next = next;
            symbols[left].bytes.end = symbols[right].bytes.end;
            symbols[right].id = NO_SYMBOL;
            symbols[right].bytes = 0..0;
            if next != END {
                symbols[next].prev = left;
                self.consider(symbols, queue, left, next);
            }
            if symbols[left].prev != END {
                self.consider(symbols, queue, symbols[left].prev, left);
            }
        }
    }

    /// Queues the pair at `left` and `right` if a rule merges it.
    fn consider(
        &self,
        symbols: &[Symbol],
        queue: &mut BinaryHeap<Candidate>,
        left: usize,
        right: usize,
    ) {
        let pair = (symbols[left].id, symbols[right].id);
        if let Some(&(rank, _)) = self.merges.get(&pair) {
            queue.push(Reverse((rank, left, pair.0, pair.1)));
        }
    }

    /// The symbol of a string in a merge rule, made up if it is not a token.
    fn symbol(&mut self, vocab: &Vocab, text: &str) -> u32 {
        if let Some(id) = vocab.id(text) {
            return id;
        }
        let next = (vocab.len() + self.extra.len()) as u32;
        match self.extra.get(text) {
            Some(&id) => id,
            None => *self.extra.entry(text.to_owned()).or_insert(next),
        }
    }

    /// The symbol of a string, if it has one.
    fn known_symbol(&self, vocab: &Vocab, text: &str) -> u32 {
        vocab
            .id(text)
            .or_else(|| self.extra.get(text).copied())
            .unwrap_or(NO_SYMBOL)
    }
}

/// Appends a symbol and links it to the one before.
fn push_symbol(symbols: &mut Vec<Symbol>, id: u32, bytes: Range<usize>) {
    let at = symbols.len();
    if let Some(prev) = symbols.last_mut() {
        prev.next = at;
    }
    symbols.push(Symbol {
        id,
        prev: at.checked_sub(1).unwrap_or(END),
        next: END,
        bytes,
    });
}
