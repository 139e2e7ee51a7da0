//! Grammars that were compiled lately, at their beginning: programs tend to ask for the same again and again.

use std::collections::VecDeque;
use std::mem::{Discriminant, discriminant};
use std::sync::{Mutex, PoisonError};

use super::{Grammar, GrammarSpec};

/// Grammars that are kept.
const KEPT: usize = 16;
/// Longest text of one that is.
const MAX_BYTES: usize = 64 * 1024;

/// What tells grammars apart: their text, in which the order of a schema's properties counts.
#[derive(PartialEq)]
pub(super) struct Key(Discriminant<GrammarSpec>, String);

impl Key {
    /// None if the text is too long to be kept.
    pub(super) fn of(spec: &GrammarSpec) -> Option<Self> {
        let text = match spec {
            GrammarSpec::JsonSchema(schema) => schema.to_string(),
            GrammarSpec::JsonObject => String::new(),
            GrammarSpec::Regex(text) | GrammarSpec::Lark(text) | GrammarSpec::Gbnf(text) => {
                text.clone()
            }
            GrammarSpec::Choice(texts) => format!("{texts:?}"),
        };
        (text.len() <= MAX_BYTES).then(|| Self(discriminant(spec), text))
    }
}

/// The last few, the latest first.
#[derive(Default)]
pub(super) struct Recent(Mutex<VecDeque<(Key, Grammar)>>);

impl Recent {
    /// A copy of the grammar, at its beginning.
    pub(super) fn find(&self, key: &Key) -> Option<Grammar> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|(other, _)| other == key)?;
        let found = kept.remove(at)?;
        let grammar = found.1.apart();
        kept.push_front(found);
        Some(grammar)
    }

    /// Keeps a copy, in place of the one that was not asked for the longest.
    pub(super) fn keep(&self, key: Key, grammar: &Grammar) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.truncate(KEPT - 1);
        kept.push_front((key, grammar.apart()));
    }
}
