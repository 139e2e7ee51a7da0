//! Cuts text at special tokens, before any other rule sees it.
//!
//! At each position the longest special token wins, as in Hugging Face's `added_tokens`. User-defined
//! tokens are always found; control tokens only when asked for, so that a user's text cannot end a turn by
//! spelling out the token that does.

use crate::pretokenizer::classes::is_word;
use crate::special_names::is_special;
use crate::tables::TokenType;
use crate::trie::Trie;
use crate::vocab::Vocab;

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fragment<'t> {
    /// A special token that the text spells out.
    Token(u32),
    /// Ordinary text between special tokens, never empty.
    Text(&'t str),
}

/// Finds special tokens in texts.
#[derive(Debug, Clone)]
pub(crate) struct Splitter {
    user_defined: Trie,
    /// User-defined, control and unknown tokens.
    all: Trie,
}

impl Splitter {
    /// Finds every token of `vocab` that is no ordinary text.
    pub(crate) fn new(vocab: &Vocab) -> Self {
        let ids = 0..vocab.len() as u32;
        Self::of(vocab, ids.map(|id| (vocab.texts[id as usize].as_str(), id)))
    }

    /// Finds the tokens among `keys` that are no ordinary text, under the texts given.
    pub(crate) fn of<'k>(vocab: &Vocab, keys: impl Iterator<Item = (&'k str, u32)>) -> Self {
        let keys: Vec<(&str, u32)> = keys
            .filter(|&(_, id)| is_special(vocab.token_type(id)))
            .collect();
        let trie = |wanted: fn(TokenType) -> bool| {
            let wanted = |&(_, id): &(&str, u32)| wanted(vocab.token_type(id));
            let keys = keys.iter().copied().filter(wanted);
            Trie::new(keys.map(|(text, id)| (text.as_bytes(), id)))
        };
        Self {
            user_defined: trie(|t| t == TokenType::UserDefined),
            all: trie(is_special),
        }
    }

    /// Passes the fragments of `text` to `emit`, in order.
    pub(crate) fn split<'t>(
        &self,
        vocab: &Vocab,
        text: &'t str,
        parse_special: bool,
        mut emit: impl FnMut(Fragment<'t>),
    ) {
        let trie = if parse_special {
            &self.all
        } else {
            &self.user_defined
        };
        let mut start = 0; // of the text not yet emitted
        let mut at = 0;
        while at < text.len() && !trie.is_empty() {
            let Some((len, id)) = trie.longest(&text.as_bytes()[at..]) else {
                at += 1;
                continue;
            };
            // Keys are whole characters, so both ends are character boundaries.
            let strip = vocab.strip(id);
            if strip.whole_word && is_inside_word(text, at, at + len) {
                at += 1;
                continue;
            }
            let before = &text[start..at];
            let before = if strip.left {
                before.trim_end_matches(char::is_whitespace)
            } else {
                before
            };
            if !before.is_empty() {
                emit(Fragment::Text(before));
            }
            emit(Fragment::Token(id));
            at += len;
            if strip.right {
                at = text.len() - text[at..].trim_start_matches(char::is_whitespace).len();
            }
            start = at;
        }
        if start < text.len() {
            emit(Fragment::Text(&text[start..]));
        }
    }
}

/// Whether a word goes on at one of the ends.
fn is_inside_word(text: &str, start: usize, end: usize) -> bool {
    text[..start].chars().next_back().is_some_and(is_word)
        || text[end..].chars().next().is_some_and(is_word)
}
