//! Why a grammar is refused, or a token.

use thiserror::Error;

/// Why a grammar cannot be enforced, or why it ended.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum GrammarError {
    /// Grammars need a token that ends the reply.
    #[error("the vocabulary has no token that ends a reply, so no grammar can be enforced")]
    NoEnd,
    /// The vocabulary does not make a trie.
    #[error("the vocabulary does not fit a grammar: {0}")]
    Vocabulary(String),
    /// A JSON schema says something that cannot be enforced.
    #[error("JSON schema at `{at}`: {why}")]
    Schema {
        /// JSON pointer into the schema; `#` is the whole.
        at: String,
        /// What is wrong there.
        why: String,
    },
    /// A grammar in llama.cpp's language is wrong.
    #[error("GBNF line {line}, column {column}: {why}")]
    Gbnf {
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What is wrong there.
        why: String,
    },
    /// A regular expression, Lark grammar or list is wrong.
    #[error("{kind}: {why}")]
    Invalid {
        /// `regex`, `Lark grammar`, `choice`.
        kind: &'static str,
        /// What is wrong, and where if known.
        why: String,
    },
    /// The grammar is larger than we take from anybody.
    #[error("{what} of the grammar: expected at most {limit}, found {found}")]
    TooLarge {
        /// What was counted.
        what: &'static str,
        /// How many there may be.
        limit: usize,
        /// How many there are, where counting stopped.
        found: usize,
    },
    /// The grammar does not allow the token.
    #[error("token {token} is not allowed by the grammar here")]
    NotAllowed {
        /// The token.
        token: u32,
    },
    /// Following the grammar took more than its bounds allow.
    #[error("the grammar is too complex to follow: {0}")]
    TooComplex(String),
}

/// The part of a message that says what is wrong, without the parser's state and our text.
pub(super) fn brief(message: &str) -> String {
    let end = ["\n<state>", "\n<non-verbose", "\n<backtrace>"]
        .iter()
        .filter_map(|mark| message.find(mark))
        .min()
        .unwrap_or(message.len());
    let mut text: String = message[..end]
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    if text.chars().count() > MAX_MESSAGE {
        text = text.chars().take(MAX_MESSAGE).collect();
        text.push('…');
    }
    text
}

const MAX_MESSAGE: usize = 300;
