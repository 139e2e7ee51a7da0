//! Byte-pair encoding: inside each piece, the adjacent pair with the best merge rule becomes one symbol,
//! again and again (Sennrich et al. 2016, arXiv:1508.07909; over bytes: Radford et al. 2019).
//!
//! A symbol is a token id. Merge rules may name strings that are not tokens; those get ids past the
//! vocabulary's end, so that merging needs no strings at all, and fall back to bytes when they are left over.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::merge::{MAX_WORD, Merger, NONE};
use crate::pretokenizer::PreTokenizer;
use crate::tables::VocabTables;
use crate::vocab::{SPACE, Vocab, check_size};
use crate::{Error, byte_level};

/// Merge rules and pre-tokenizer of one vocabulary.
#[derive(Debug, Clone)]
pub(crate) struct Bpe {
    pre: PreTokenizer,
    /// `(left, right)` symbols to the rule's rank and the symbol they become.
    merges: HashMap<(u32, u32), (u32, u32), RandomState>,
    /// Strings of merge rules that are not tokens.
    extra: HashMap<String, u32>,
    /// Token of each single byte.
    byte_ids: [Option<u32>; 256],
    /// Symbol of each single byte; byte-level only.
    byte_symbols: [u32; 256],
}

/// Buffers that live as long as one call of [`Bpe::encode`].
#[derive(Default)]
struct Scratch {
    merger: Merger,
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
        check_size("merges", &rules)?;
        let mut bpe = Self {
            pre,
            merges: HashMap::with_capacity_and_hasher(rules.len(), RandomState::default()),
            extra: HashMap::new(),
            byte_ids: [None; 256],
            byte_symbols: [NONE; 256],
        };
        let mut joined = String::new();
        let mut guess = 0;
        for (rank, rule) in rules.iter().enumerate() {
            let (left, right) = split_rule(rule).ok_or_else(|| Error::Merge {
                index: rank,
                text: rule.clone(),
            })?;
            joined.clear();
            joined.push_str(left);
            joined.push_str(right);
            // Tokens mostly stand in the order of the rules that make them.
            let follows = |id: &u32| vocab.texts.get(*id as usize) == Some(&joined);
            let merged = [guess, guess + 1].into_iter().find(follows);
            let merged = merged.unwrap_or_else(|| bpe.symbol(vocab, &joined));
            guess = merged;
            let pair = (bpe.symbol(vocab, left), bpe.symbol(vocab, right));
            bpe.merges.entry(pair).or_insert((rank as u32, merged));
        }
        for byte in 0..=255u8 {
            let text = byte_level::char_of(byte).to_string();
            let traits = bpe.pre.traits;
            bpe.byte_ids[usize::from(byte)] = match (traits.plain_text, traits.byte_fallback) {
                (false, _) => vocab.text_id(&text),
                (true, true) => vocab.byte_id(byte),
                (true, false) => None,
            };
            bpe.byte_symbols[usize::from(byte)] = bpe.known_symbol(vocab, &text);
        }
        Ok(bpe)
    }

    /// Appends the tokens of `text`; `first` says whether nothing stands before it.
    pub(crate) fn encode(&self, vocab: &Vocab, text: &str, first: bool, out: &mut Vec<u32>) {
        let mut scratch = Scratch::default();
        let piece = |piece: &str| self.encode_piece(vocab, piece, &mut scratch, out);
        if self.pre.traits.spm_style {
            self.pre.split(&text.replace(' ', SPACE), first, piece);
        } else {
            self.pre.split(text, first, piece);
        }
    }

    fn encode_piece(&self, vocab: &Vocab, piece: &str, scratch: &mut Scratch, out: &mut Vec<u32>) {
        if piece.len() >= MAX_WORD {
            let (left, right) = piece.split_at(piece.floor_char_boundary(piece.len() / 2));
            self.encode_piece(vocab, left, scratch, out);
            return self.encode_piece(vocab, right, scratch, out);
        }
        let traits = self.pre.traits;
        let plain = traits.plain_text;
        // Newlines of SPM-style vocabularies are tokens without merge rules.
        if traits.ignore_merges || (traits.spm_style && piece.starts_with('\n')) {
            let text = if plain {
                piece
            } else {
                in_byte_alphabet(piece, &mut scratch.text)
            };
            if let Some(id) = vocab.text_id(text) {
                return out.push(id);
            }
        }
        let merger = &mut scratch.merger;
        merger.clear();
        if plain {
            for c in piece.chars() {
                let symbol = self.known_symbol(vocab, c.encode_utf8(&mut [0; 4]));
                merger.push(symbol, c.len_utf8());
            }
        } else {
            piece
                .bytes()
                .for_each(|byte| merger.push(self.byte_symbols[usize::from(byte)], 1));
        }
        let mut after_unk = false;
        for symbol in merger.run(|left, right| self.merges.get(&(left.id, right.id)).copied()) {
            if (symbol.id as usize) < vocab.len() {
                out.push(symbol.id);
                after_unk = false;
            } else {
                let bytes = &piece.as_bytes()[symbol.start as usize..][..symbol.len as usize];
                after_unk = self.push_bytes(vocab, bytes, after_unk, out);
            }
        }
    }

    /// Appends the tokens of the single bytes of a symbol that is no token, or the unknown token; whether it
    /// was that.
    fn push_bytes(&self, vocab: &Vocab, bytes: &[u8], after_unk: bool, out: &mut Vec<u32>) -> bool {
        let traits = self.pre.traits;
        let id = |byte: &u8| self.byte_ids[usize::from(*byte)];
        let one_by_one = !traits.plain_text || traits.spm_style;
        if one_by_one || bytes.iter().all(|byte| id(byte).is_some()) {
            out.extend(
                bytes
                    .iter()
                    .filter_map(|byte| id(byte).or(vocab.special.unk)),
            );
            return false;
        }
        if !(after_unk && traits.fuse_unk) {
            out.extend(vocab.special.unk);
        }
        true
    }

    /// The symbol of a string in a merge rule, made up if it is not a token.
    fn symbol(&mut self, vocab: &Vocab, text: &str) -> u32 {
        let known = self.known_symbol(vocab, text);
        if known != NONE {
            return known;
        }
        let next = (vocab.len() + self.extra.len()) as u32;
        *self.extra.entry(text.to_owned()).or_insert(next)
    }

    /// The symbol of a string, if it has one, else [`NONE`].
    fn known_symbol(&self, vocab: &Vocab, text: &str) -> u32 {
        vocab
            .id(text)
            .or_else(|| self.extra.get(text).copied())
            .unwrap_or(NONE)
    }
}

/// The two parts of a rule. The space is looked for from the second character on, because a part may
/// itself start with one.
fn split_rule(rule: &str) -> Option<(&str, &str)> {
    let first = rule.chars().next()?.len_utf8();
    let space = first + rule[first..].find(' ')?;
    let right = &rule[space + 1..];
    (!right.is_empty()).then_some((&rule[..space], right))
}

/// Writes `piece` in the byte alphabet.
fn in_byte_alphabet<'a>(piece: &str, buffer: &'a mut String) -> &'a str {
    buffer.clear();
    buffer.extend(piece.bytes().map(byte_level::char_of));
    buffer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_split_at_a_space_that_is_not_first() {
        assert_eq!(split_rule("Ġ t"), Some(("Ġ", "t")));
        assert_eq!(split_rule("  a"), Some((" ", "a")));
        for bad in ["", " ", "ab", "ab ", " ab"] {
            assert_eq!(split_rule(bad), None, "{bad:?}");
        }
    }
}
