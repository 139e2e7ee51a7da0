//! SentencePiece BPE: the adjacent pair whose joined text is the token with the highest score becomes one
//! symbol, again and again; what is no token in the end is written as bytes (Kudo & Richardson 2018,
//! arXiv:1808.06226).
//!
//! The whole text is one word here. Of SentencePiece's normalisation only the escaped space is done: GGUF
//! stores no more for this kind.

use crate::merge::{MAX_WORD, Merger, NONE};
use crate::tables::VocabTables;
use crate::vocab::{SPACE, Vocab};

/// What SentencePiece BPE needs besides the vocabulary.
#[derive(Debug, Clone)]
pub(crate) struct SentencePiece {
    pub(crate) add_space_prefix: bool,
    byte_ids: [Option<u32>; 256],
    /// No token is longer, so longer texts need no lookup.
    max_len: u32,
}

impl SentencePiece {
    pub(crate) fn new(tables: &VocabTables, vocab: &Vocab) -> Self {
        Self {
            add_space_prefix: tables.add_space_prefix.unwrap_or(true),
            byte_ids: std::array::from_fn(|byte| vocab.byte_id(byte as u8)),
            max_len: vocab.texts.iter().map(String::len).max().unwrap_or(0) as u32,
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
        let mut merger = Merger::default();
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let (word, after) = rest.split_at(rest.floor_char_boundary(MAX_WORD - 1));
            self.encode_word(vocab, word, &mut merger, out);
            rest = after;
        }
    }

    fn encode_word(&self, vocab: &Vocab, word: &str, merger: &mut Merger, out: &mut Vec<u32>) {
        merger.clear();
        for c in word.chars() {
            let id = vocab.text_id(c.encode_utf8(&mut [0; 4]));
            merger.push(id.unwrap_or(NONE), c.len_utf8());
        }
        let symbols = merger.run(|left, right| {
            let len = left.len + right.len;
            if len > self.max_len {
                return None;
            }
            let id = vocab.text_id(&word[left.start as usize..][..len as usize])?;
            Some((priority(vocab.scores[id as usize] as f32), id))
        });
        for symbol in symbols {
            if symbol.id != NONE {
                out.push(symbol.id);
                continue;
            }
            let bytes = &word.as_bytes()[symbol.start as usize..][..symbol.len as usize];
            let id = |byte: &u8| self.byte_ids[usize::from(*byte)].or(vocab.special.unk);
            out.extend(bytes.iter().filter_map(id));
        }
    }
}

/// A number that is smaller for greater scores, and below [`NONE`].
///
/// Of a positive float the bits, read as an integer, grow with its value; of a negative one they shrink.
fn priority(score: f32) -> u32 {
    let bits = (score + 0.0).to_bits(); // -0.0 becomes 0.0: equal scores must tie
    let ascending = if bits >> 31 == 0 {
        bits | 1 << 31
    } else {
        !bits
    };
    (!ascending).min(NONE - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priorities_order_as_scores_do() {
        let scores = [
            f32::INFINITY,
            1e9,
            1.0,
            f32::MIN_POSITIVE,
            0.0,
            -1e-9,
            -1.0,
            -31_000.0,
        ];
        for pair in scores.windows(2) {
            assert!(priority(pair[0]) < priority(pair[1]), "{pair:?}");
        }
        assert_eq!(priority(0.0), priority(-0.0));
        assert!(priority(f32::NEG_INFINITY) < NONE && priority(-f32::NAN) < NONE);
    }
}
