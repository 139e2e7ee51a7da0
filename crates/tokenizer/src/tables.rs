//! The plain data a tokenizer is built from: what a model file stores, nothing derived.
//!
//! The fields mirror the `tokenizer.ggml.*` keys of GGUF (ggml `docs/gguf.md`), but this crate reads no
//! files: whoever has the numbers fills the struct.

use crate::{Error, Rules};

/// Tables of one vocabulary, as stored in a model file.
///
/// `None` and empty mean "the file does not say": the default of the kind applies.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct VocabTables {
    /// `tokenizer.ggml.model`: `gpt2`, `gemma4`, `llama`, `bert`, `t5` or `rwkv`.
    pub kind: String,
    /// `tokenizer.ggml.pre`: which splitting rules byte-level BPE uses; empty means `default`.
    pub pre: String,
    /// Token texts; a token's id is its position. Byte-level BPE stores one character per byte.
    pub tokens: Vec<String>,
    /// One score per token, or empty. Merge priority for `llama`, log-probability for `t5`; GGUF stores f32, JSON f64.
    pub scores: Vec<f64>,
    /// One [`TokenType`] number per token, or empty: all normal.
    pub token_types: Vec<i32>,
    /// BPE merge rules `left right`, best first.
    pub merges: Vec<String>,
    /// Ids of tokens with a role.
    pub special: SpecialIds,
    /// Put the BOS token before the text.
    pub add_bos: Option<bool>,
    /// Put the EOS token after the text.
    pub add_eos: Option<bool>,
    /// Put the SEP token between text pairs. Kept for callers that build pairs.
    pub add_sep: Option<bool>,
    /// SentencePiece: put a space before the text, so that its first word is like any other.
    pub add_space_prefix: Option<bool>,
    /// SentencePiece: reduce runs of spaces to one and drop them at both ends.
    pub remove_extra_whitespaces: Option<bool>,
    /// WordPiece: lowercase the text; on unless the file says otherwise.
    pub lowercase: Option<bool>,
    /// WordPiece: remove accents; follows `lowercase` unless the file says otherwise.
    pub strip_accents: Option<bool>,
    /// SentencePiece normalisation: a double-array trie and its replacement strings.
    pub precompiled_charsmap: Vec<u8>,
    /// Further ids that end the generation.
    pub eog: Vec<u32>,
    /// How text becomes pieces, where the file spells it out; then `pre` has no meaning.
    pub rules: Option<Rules>,
    /// `general.name`: a few models need per-token whitespace rules that no key stores.
    pub model_name: String,
}

/// Ids of tokens with a role, as stored. An id outside the vocabulary counts as not stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SpecialIds {
    /// Beginning of sequence.
    pub bos: Option<u32>,
    /// End of sequence.
    pub eos: Option<u32>,
    /// End of turn.
    pub eot: Option<u32>,
    /// End of message.
    pub eom: Option<u32>,
    /// Stands for text that has no token.
    pub unk: Option<u32>,
    /// Separates texts.
    pub sep: Option<u32>,
    /// Fills up a batch.
    pub pad: Option<u32>,
    /// Stands for a masked word.
    pub mask: Option<u32>,
    /// Fill-in-the-middle: before the prefix.
    pub fim_pre: Option<u32>,
    /// Fill-in-the-middle: before the suffix.
    pub fim_suf: Option<u32>,
    /// Fill-in-the-middle: before the middle.
    pub fim_mid: Option<u32>,
    /// Fill-in-the-middle: padding.
    pub fim_pad: Option<u32>,
    /// Fill-in-the-middle: repository name.
    pub fim_rep: Option<u32>,
    /// Fill-in-the-middle: file separator.
    pub fim_sep: Option<u32>,
}

/// What a token stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenType {
    /// Ordinary text. GGUF's 0 (undefined) reads as this too.
    Normal,
    /// Text that no other token covers.
    Unknown,
    /// Steers the model and is not text, such as the end of a turn.
    Control,
    /// Text that is always taken whole, before any other rule.
    UserDefined,
    /// A place in the table without meaning.
    Unused,
    /// One byte, written `<0x0A>`.
    Byte,
}

impl TokenType {
    /// Reads the number GGUF stores for token `id`.
    pub(crate) fn from_gguf(id: usize, number: i32) -> Result<Self, Error> {
        Ok(match number {
            0 | 1 => Self::Normal,
            2 => Self::Unknown,
            3 => Self::Control,
            4 => Self::UserDefined,
            5 => Self::Unused,
            6 => Self::Byte,
            found => return Err(Error::TokenType { id, found }),
        })
    }
}
