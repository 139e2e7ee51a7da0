//! SentencePiece Unigram: the segmentation with the highest sum of log-probabilities, by Viterbi
//! (Kudo 2018, arXiv:1804.10959).
//!
//! Text is normalised first: the file's character map, then spaces as `▁`. A character that no token covers
//! costs ten more than the least probable token, and neighbours of that sort become one unknown token.

use crate::Error;
use crate::charsmap::CharsMap;
use crate::tables::{TokenType, VocabTables};
use crate::trie::Trie;
use crate::vocab::{SPACE, Vocab};

/// How much worse than the worst token an uncovered character is; SentencePiece's constant.
const UNK_PENALTY: f64 = 10.0;

/// What Unigram needs besides the vocabulary.
#[derive(Debug, Clone)]
pub(crate) struct Unigram {
    tokens: Trie,
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
    pub(crate) fn new(tables: &VocabTables, vocab: &Vocab) -> Result<Self, Error> {
        let missing = Error::Missing {
            kind: vocab.kind.name(),
            table: "an unknown token",
        };
        let ids = || 0..vocab.len() as u32;
        let text = ids().filter(|&id| vocab.is_text(id));
        let normal = ids().filter(|&id| vocab.token_type(id) == TokenType::Normal);
        let scores = normal.map(|id| f64::from(vocab.scores[id as usize]));
        let worst = scores.filter(|score| score.is_finite()).fold(0.0, f64::min);
        Ok(Self {
            tokens: Trie::new(text.map(|id| (vocab.texts[id as usize].as_bytes(), id))),
            charsmap: CharsMap::new(&tables.precompiled_charsmap)?,
            unk: vocab.special.unk.ok_or(missing)?,
            unk_score: worst - UNK_PENALTY,
            add_space_prefix: tables.add_space_prefix.unwrap_or(false),
            merge_spaces: tables.remove_extra_whitespaces.unwrap_or(false),
        })
    }

    /// Appends the tokens of `text`.
    pub(crate) fn encode(&self, vocab: &Vocab, text: &str, out: &mut Vec<u32>) {
        let text = self.normalize(text);
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
                let score = if user_defined {
                    0.0
                } else {
                    f64::from(vocab.scores[id as usize])
                };
                offer(len, score, id);
            }
            if !covered {
                offer(c.len_utf8(), self.unk_score, self.unk);
            }
        }

        let n_before = out.len();
        let mut end = text.len();
        let mut after_unk = false;
        while end > 0 {
            let Best { start, id, .. } = best[end];
            if !(after_unk && id == self.unk) {
                out.push(id);
            }
            after_unk = id == self.unk;
            end = start;
        }
        out[n_before..].reverse();
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
