//! WordPiece as BERT uses it: words, cut greedily into the longest tokens from the left (Devlin et al. 2018,
//! arXiv:1810.04805; normalisation as in Hugging Face's `BertNormalizer`).
//!
//! GGUF writes a token that starts a word as `▁word` and one that continues it as `word` (not `##word`).
//! A word that cannot be covered is one unknown token. A `tokenizer.json` says itself how text becomes words, and
//! which ones are too long to be looked at; of GGUF files, like llama.cpp, none is.

use unicode_normalization::UnicodeNormalization;

use crate::Error;
use crate::pretokenizer::{PreTokenizer, classes};
use crate::tables::{TokenType, VocabTables};
use crate::trie::Trie;
use crate::vocab::{SPACE, Vocab};

/// What WordPiece needs besides the vocabulary.
#[derive(Debug, Clone)]
pub(crate) struct WordPiece {
    tokens: Trie,
    unk: u32,
    words: Words,
}

/// How text becomes words.
#[derive(Debug, Clone)]
enum Words {
    Bert {
        lowercase: bool,
        strip_accents: bool,
    },
    /// As rules say, with the length of the longest word that is looked at, in characters.
    Pieces(PreTokenizer, usize),
}

/// Written before a word in place of [`SPACE`] where there are rules: no text has this byte, and so no token that
/// has a visible space in it is taken for the start of a word.
const START: u8 = 0xff;
/// Longest word where the file does not say, as in the `tokenizers` library.
const MAX_WORD: usize = 100;

impl WordPiece {
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
        let unk = vocab.special.unk.ok_or(missing)?;
        let has_rules = pre.is_some();
        let is_hole = |id| has_rules && vocab.token_type(id) == TokenType::Unused;
        let ids = (0..vocab.len() as u32).filter(|&id| vocab.is_text(id) && !is_hole(id));
        let texts = ids.map(|id| (vocab.texts[id as usize].as_str(), id));
        let (Some(rules), Some(pre)) = (&tables.rules, pre) else {
            let lowercase = tables.lowercase.unwrap_or(true);
            return Ok(Self {
                tokens: Trie::new(texts.map(|(text, id)| (text.as_bytes(), id))),
                unk,
                words: Words::Bert {
                    lowercase,
                    strip_accents: tables.strip_accents.unwrap_or(lowercase),
                },
            });
        };
        let keys: Vec<(Vec<u8>, u32)> = texts
            .flat_map(|(text, id)| keys(text, &rules.continuing_prefix).map(move |key| (key, id)))
            .collect();
        Ok(Self {
            tokens: Trie::new(keys.iter().map(|(key, id)| (key.as_slice(), *id))),
            unk,
            words: Words::Pieces(pre, rules.max_word.unwrap_or(MAX_WORD)),
        })
    }

    /// Appends the tokens of `text`; `first` says whether nothing stands before it.
    pub(crate) fn encode(&self, text: &str, first: bool, out: &mut Vec<u32>) {
        match &self.words {
            Words::Bert {
                lowercase,
                strip_accents,
            } => self.encode_as_bert(&normalize(text, *lowercase, *strip_accents), out),
            Words::Pieces(pre, max) => pre.split(text, first, |word| {
                if word.chars().count() > *max {
                    out.push(self.unk);
                } else if !word.is_empty() {
                    self.encode_word(&[&[START], word.as_bytes()].concat(), out);
                }
            }),
        }
    }

    fn encode_as_bert(&self, text: &str, out: &mut Vec<u32>) {
        let mut word = String::from(SPACE);
        let mut finish = |word: &mut String| {
            if word.len() > SPACE.len() {
                self.encode_word(word.as_bytes(), out);
                word.truncate(SPACE.len());
            }
        };
        for c in text.chars() {
            let alone = classes::is_punctuation(c) || is_ideograph(c);
            if alone || c.is_whitespace() {
                finish(&mut word);
            }
            if !c.is_whitespace() {
                word.push(c);
            }
            if alone {
                finish(&mut word);
            }
        }
        finish(&mut word);
    }

    /// Appends the tokens of a word, which starts as words do.
    fn encode_word(&self, word: &[u8], out: &mut Vec<u32>) {
        let n_before = out.len();
        let mut rest = word;
        while !rest.is_empty() {
            let Some((len, id)) = self.tokens.longest(rest) else {
                out.truncate(n_before);
                out.push(self.unk);
                break;
            };
            out.push(id);
            rest = &rest[len..];
        }
    }
}

/// How a token of a `tokenizer.json` can be met: as the start of a word, and behind one.
///
/// It is `text` here as GGUF has it; the file wrote `prefix` before one that continues a word, and such a text may
/// start a word too.
fn keys(text: &str, prefix: &str) -> impl Iterator<Item = Vec<u8>> {
    let start = [START];
    let (starting, continuing) = match text.strip_prefix(SPACE) {
        Some(word) => ([&start, word.as_bytes()].concat(), None),
        None => (
            [&start, prefix.as_bytes(), text.as_bytes()].concat(),
            Some(text.as_bytes().to_vec()),
        ),
    };
    std::iter::once(starting).chain(continuing)
}

/// Without control characters, and as the model's training text: lowercase, without accents.
fn normalize(text: &str, lowercase: bool, strip_accents: bool) -> String {
    let clean = |c: &char| match c {
        '\t' | '\n' | '\r' => true,
        c => *c != char::REPLACEMENT_CHARACTER && !classes::is_control(*c),
    };
    let text: String = text.chars().filter(clean).collect();
    let text: String = if strip_accents {
        text.nfd()
            .filter(|&c| !classes::is_nonspacing_mark(c))
            .collect()
    } else {
        text
    };
    // Per character: `str::to_lowercase` would treat a final sigma differently.
    if lowercase {
        text.chars().flat_map(char::to_lowercase).collect()
    } else {
        text
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
