//! WordPiece as BERT uses it: words, cut greedily into the longest tokens from the left (Devlin et al. 2018,
//! arXiv:1810.04805; normalisation as in Hugging Face's `BertNormalizer`).
//!
//! GGUF writes a token that starts a word as `▁word` and one that continues it as `word` (not `##word`).
//! A word that cannot be covered is one unknown token. Hugging Face also gives up on words of more than
//! 100 characters; like llama.cpp, this does not.

use unicode_normalization::UnicodeNormalization;

use crate::Error;
use crate::pretokenizer::classes;
use crate::tables::VocabTables;
use crate::trie::Trie;
use crate::vocab::{SPACE, Vocab};

/// What WordPiece needs besides the vocabulary.
#[derive(Debug, Clone)]
pub(crate) struct WordPiece {
    tokens: Trie,
    unk: u32,
    lowercase: bool,
    strip_accents: bool,
}

impl WordPiece {
    pub(crate) fn new(tables: &VocabTables, vocab: &Vocab) -> Result<Self, Error> {
        let missing = Error::Missing {
            kind: vocab.kind.name(),
            table: "an unknown token",
        };
        let lowercase = tables.lowercase.unwrap_or(true);
        let ids = (0..vocab.len() as u32).filter(|&id| vocab.is_text(id));
        Ok(Self {
            tokens: Trie::new(ids.map(|id| (vocab.texts[id as usize].as_bytes(), id))),
            unk: vocab.special.unk.ok_or(missing)?,
            lowercase,
            strip_accents: tables.strip_accents.unwrap_or(lowercase),
        })
    }

    /// Appends the tokens of `text`.
    pub(crate) fn encode(&self, text: &str, out: &mut Vec<u32>) {
        let mut word = String::from(SPACE);
        for c in self.normalize(text).chars() {
            let alone = classes::is_punctuation(c) || is_ideograph(c);
            if alone || c.is_whitespace() {
                self.finish_word(&mut word, out);
            }
            if !c.is_whitespace() {
                word.push(c);
            }
            if alone {
                self.finish_word(&mut word, out);
            }
        }
        self.finish_word(&mut word, out);
    }

    /// Without control characters, and as the model's training text: lowercase, without accents.
    fn normalize(&self, text: &str) -> String {
        let clean = |c: &char| match c {
            '\t' | '\n' | '\r' => true,
            c => *c != char::REPLACEMENT_CHARACTER && !classes::is_control(*c),
        };
        let text: String = text.chars().filter(clean).collect();
        let text: String = if self.strip_accents {
            text.nfd()
                .filter(|&c| !classes::is_nonspacing_mark(c))
                .collect()
        } else {
            text
        };
        // Per character: `str::to_lowercase` would treat a final sigma differently.
        if self.lowercase {
            text.chars().flat_map(char::to_lowercase).collect()
        } else {
            text
        }
    }

    /// Appends the tokens of `word`, which starts with [`SPACE`], and leaves it with nothing else.
    fn finish_word(&self, word: &mut String, out: &mut Vec<u32>) {
        if word.len() == SPACE.len() {
            return;
        }
        let n_before = out.len();
        let mut rest = word.as_bytes();
        while !rest.is_empty() {
            let Some((len, id)) = self.tokens.longest(rest) else {
                out.truncate(n_before);
                out.push(self.unk);
                break;
            };
            out.push(id);
            rest = &rest[len..];
        }
        word.truncate(SPACE.len());
    }
}

/// Ideographs, each a word of its own: the blocks BERT's tokenizer lists.
fn is_ideograph(c: char) -> bool {
    matches!(
        u32::from(c),
        0x4e00..=0x9fff
            | 0x3400..=0x4dbf
            | 0x20000..=0x2a6df
            | 0x2a700..=0x2b73f
            | 0x2b740..=0x2b81f
            | 0x2b920..=0x2ceaf
            | 0xf900..=0xfaff
            | 0x2f800..=0x2fa1f
    )
}
