//! SentencePiece Unigram: the segmentation with the highest sum of log-probabilities, by Viterbi
//! (Kudo 2018, arXiv:1804.10959).
//!
//! Text is normalised first: the file's character map, then spaces as `▁`; or as a `tokenizer.json` says. A
//! character that no token covers costs ten more than the least probable token, and neighbours of that sort become
//! one unknown token, or the tokens of their bytes.

use crate::Error;
use crate::charsmap::CharsMap;
use crate::pretokenizer::PreTokenizer;
use crate::tables::{TokenType, VocabTables};
use crate::trie::Trie;
use crate::vocab::{SPACE, Vocab};

/// How much worse than the worst token an uncovered character is; SentencePiece's constant.
const UNK_PENALTY: f64 = 10.0;

/// What Unigram needs besides the vocabulary.
#[derive(Debug, Clone)]
pub(crate) struct Unigram {
    tokens: Trie,
    /// How a `tokenizer.json` makes pieces of text; then the fields about normalising mean nothing.
    pre: Option<PreTokenizer>,
    /// Token of each byte, where bytes stand in for unknown characters.
    byte_ids: [Option<u32>; 256],
    charsmap: CharsMap,
    unk: u32,
    unk_score: f64,
    pub(crate) add_space_prefix: bool,
    merge_spaces: bool,
}

/// The best segmentation that ends at one position.
#[derive(Clone, Copy)]
struct Best {
    score: f64,
    /// Where its last token starts.
    start: usize,
    id: u32,
}

impl Unigram {
    /// `pre` are the rules of a `tokenizer.json`.
    pub(crate) fn new(
        tables: &VocabTables,
        vocab: &Vocab,
        pre: Option<PreTokenizer>,
    ) -> Result<Self, Error> {
        let missing = Error::Missing {
            kind: vocab.kind.name(),
            table: "an unknown token",
        };
        let ids = || 0..vocab.len() as u32;
        // Added tokens that a `tokenizer.json` has beside its model have no score and are not found here.
        let has_score = |id: u32| vocab.scores[id as usize] > f64::NEG_INFINITY;
        let text = ids().filter(|&id| vocab.is_text(id) && has_score(id));
        let counts = |id: u32| pre.is_some() || vocab.token_type(id) == TokenType::Normal;
        let normal = ids().filter(|&id| counts(id));
        let scores = normal.map(|id| vocab.scores[id as usize]);
        let worst = scores.filter(|score| score.is_finite()).fold(0.0, f64::min);
        let byte_fallback = pre.as_ref().is_some_and(|pre| pre.traits.byte_fallback);
        let byte_id = |byte: usize| vocab.byte_id(byte as u8).filter(|_| byte_fallback);
        Ok(Self {
            tokens: Trie::new(text.map(|id| (vocab.texts[id as usize].as_bytes(), id))),
            pre,
            byte_ids: std::array::from_fn(byte_id),
            charsmap: CharsMap::new(&tables.precompiled_charsmap)?,
            unk: vocab.special.unk.ok_or(missing)?,
            unk_score: worst - UNK_PENALTY,
            add_space_prefix: tables.add_space_prefix.unwrap_or(false),
            merge_spaces: tables.remove_extra_whitespaces.unwrap_or(false),
        })
    }

    /// Appends the tokens of `text`; `first` says whether nothing stands before it.
    pub(crate) fn encode(&self, vocab: &Vocab, text: &str, first: bool, out: &mut Vec<u32>) {
        match &self.pre {
            Some(pre) => pre.split(text, first, |piece| self.encode_piece(vocab, piece, out)),
            None => self.encode_piece(vocab, &self.normalize(text), out),
        }
    }

    fn encode_piece(&self, vocab: &Vocab, text: &str, out: &mut Vec<u32>) {
        let unreached = Best {
            score: f64::NEG_INFINITY,
            start: 0,
            id: self.unk,
        };
        let mut best = vec![unreached; text.len() + 1];
        best[0].score = 0.0;
        for (start, c) in text.char_indices() {
            let base = best[start].score;
            let mut offer = |len: usize, score: f64, id: u32| {
                let at = &mut best[start + len];
                if base + score > at.score {
                    *at = Best {
                        score: base + score,
                        start,
                        id,
                    };
                }
            };
            let mut covered = false;
            for (len, id) in self.tokens.prefixes(&text.as_bytes()[start..]) {
                covered |= len == c.len_utf8();
                let user_defined = vocab.token_type(id) == TokenType::UserDefined;
                let score = if user_defined && self.pre.is_none() {
                    0.0
                } else {
                    vocab.scores[id as usize]
                };
                offer(len, score, id);
            }
            if !covered {
                offer(c.len_utf8(), self.unk_score, self.unk);
            }
        }

        let n_before = out.len();
        let mut end = text.len();
        while end > 0 {
            let Best { mut start, id, .. } = best[end];
            if id == self.unk {
                while start > 0 && best[start].id == self.unk {
                    start = best[start].start;
                }
                self.push_unknown(&text.as_bytes()[start..end], out);
            } else {
                out.push(id);
            }
            end = start;
        }
        out[n_before..].reverse();
    }

    /// Appends the tokens of bytes that no token covers, last first.
    fn push_unknown(&self, bytes: &[u8], out: &mut Vec<u32>) {
        let n_before = out.len();
        for &byte in bytes.iter().rev() {
            let Some(id) = self.byte_ids[usize::from(byte)] else {
                out.truncate(n_before);
                return out.push(self.unk);
            };
            out.push(id);
        }
    }

    /// Applies the character map and writes spaces as [`SPACE`].
    fn normalize(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len() + SPACE.len());
        if self.add_space_prefix && !self.merge_spaces && !text.is_empty() {
            out.push_str(SPACE);
        }
        let mut gap = true; // spaces, or the start of the text, since the last other character
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let (len, replacement) = self
                .charsmap
                .longest(rest)
                .unwrap_or((c.len_utf8(), &rest[..c.len_utf8()]));
            for c in replacement.chars() {
                match c {
                    ' ' if self.merge_spaces => gap = true,
                    ' ' => out.push_str(SPACE),
                    c => {
                        let inside = !out.is_empty() || self.add_space_prefix;
                        if self.merge_spaces && gap && inside {
                            out.push_str(SPACE);
                        }
                        gap = false;
                        out.push(c);
                    }
                }
            }
            rest = &rest[len..];
        }
        out
    }
}
