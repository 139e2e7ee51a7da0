//! Everything that can be wrong with a vocabulary.
//!
//! Encoding and decoding cannot fail: whatever a table could get wrong is found when the tokenizer is built.

use thiserror::Error as ThisError;

/// Why a vocabulary cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// The file says that it has no tokenizer, or says nothing.
    #[error("the vocabulary names no tokenizer\nhint: `tokenizer.ggml.model` is missing or `none`")]
    NoTokenizer,
    /// A kind that exists but is not supported, or is unknown.
    #[error(
        "tokenizer kind: expected one of `gpt2`, `gemma4`, `llama`, `bert`, `t5`, `rwkv`, found `{0}`"
    )]
    Kind(String),
    /// A pre-tokenizer that the table does not have.
    #[error("pre-tokenizer `{name}` is unknown\nhint: {hint}")]
    PreTokenizer {
        /// The name in the file.
        name: String,
        /// The nearest known name, or how to find the list.
        hint: String,
    },
    /// A table that this kind needs is missing or empty.
    #[error("tokenizer kind `{kind}` needs {table}, found none")]
    Missing {
        /// The kind of tokenizer.
        kind: &'static str,
        /// What is missing.
        table: &'static str,
    },
    /// Two tables that run in parallel differ in length.
    #[error("{table}: expected {expected} entries, one per token, found {found}")]
    Length {
        /// The shorter table.
        table: &'static str,
        /// Number of tokens.
        expected: usize,
        /// Number of entries.
        found: usize,
    },
    /// The tables are larger than 32-bit offsets can address.
    #[error("{table}: expected less than {limit} bytes of text, found {found}")]
    TooLarge {
        /// The table.
        table: &'static str,
        /// Upper bound in bytes.
        limit: usize,
        /// Size in bytes.
        found: usize,
    },
    /// A merge rule that is not two parts with a space between.
    #[error("merge {index}: expected two parts with a space between, found `{text}`")]
    Merge {
        /// Position in the merge list.
        index: usize,
        /// The rule.
        text: String,
    },
    /// A token type outside 0..=6.
    #[error("token {id}: expected a type from 0 to 6, found {found}")]
    TokenType {
        /// The token.
        id: usize,
        /// Its type.
        found: i32,
    },
    /// The file asks for a token at the start or end and does not say which.
    #[error("`{flag}` is set but there is no {token} token")]
    NoSpecial {
        /// The flag.
        flag: &'static str,
        /// The token it needs.
        token: &'static str,
    },
    /// The normalisation table of a Unigram vocabulary does not parse.
    #[error("precompiled charsmap: expected {expected}, found {found}")]
    Charsmap {
        /// What the layout requires.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A regular expression that is broken or cannot be run.
    #[error("regular expression `{pattern}`: {reason}")]
    Pattern {
        /// The expression.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A `tokenizer.json` that is not JSON, or not of the form it should have.
    #[error("tokenizer.json: {0}")]
    Json(String),
    /// A value in a `tokenizer.json` that is missing, wrong or not supported.
    #[error("tokenizer.json, key `{key}`: expected {expected}, found {found}")]
    Key {
        /// Where it stands, with dots between levels.
        key: String,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A line of RWKV's vocabulary that is none.
    #[error("vocabulary, line {number}: expected `ID LITERAL LENGTH`, found `{found}`")]
    Line {
        /// Counted from 1.
        number: usize,
        /// Its beginning.
        found: String,
    },
    /// A SentencePiece model that cannot be read.
    #[error("SentencePiece model: {what} at byte {at}: expected {expected}, found {found}")]
    SentencePiece {
        /// The part of the file.
        what: &'static str,
        /// Where it starts, in bytes.
        at: usize,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
}
