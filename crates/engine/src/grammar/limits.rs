//! How large a grammar may be, and how much may be spent on it. Grammars come from users, so all of it is bounded.

use llguidance::api::ParserLimits;
use serde_json::Value;

use super::GrammarError;

/// Bytes of a grammar's text, or of all strings in a schema.
pub(super) const MAX_TEXT: usize = 256 << 10;
/// Values in a JSON schema.
pub(super) const MAX_VALUES: usize = 20_000;
/// Depth of values in a JSON schema, of brackets in a grammar.
pub(super) const MAX_DEPTH: usize = 64;
/// Texts in a list of choices.
pub(super) const MAX_CHOICES: usize = 4_096;
/// Any count in a grammar: characters of a string, items of an array, repetitions.
pub(super) const MAX_COUNT: usize = 100_000;

/// What `llguidance` may spend: about 20 ms on reading, 25 ms on a mask, some tens of megabytes. (A mask of a grammar of
/// characters, with any letter allowed next, takes about 5 ms.)
pub(super) fn parser() -> ParserLimits {
    ParserLimits {
        max_items_in_row: 2_000,
        initial_lexer_fuel: 1_000_000,
        step_lexer_fuel: 200_000,
        step_max_items: 500_000,
        max_lexer_states: 30_000,
        max_grammar_size: 200_000,
        precompute_large_lexemes: true,
        verbose_errors: false,
    }
}

/// Checks the size of a text.
pub(super) fn check_text(text: &str) -> Result<(), GrammarError> {
    check("bytes", MAX_TEXT, text.len())?;
    let mut depth = 0_usize;
    let mut deepest = 0;
    for byte in text.bytes() {
        match byte {
            // In strings they count too: the bound is far above what anybody nests.
            b'(' | b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    check("nested brackets", MAX_DEPTH, deepest)
}

/// Checks number, depth and text of all values in `value`.
pub(super) fn check_value(value: &Value) -> Result<(), GrammarError> {
    let (mut num_values, mut num_bytes) = (0, 0);
    let mut todo = vec![(value, 1)];
    while let Some((value, depth)) = todo.pop() {
        num_values += 1;
        check("values", MAX_VALUES, num_values)?;
        check("nested values", MAX_DEPTH, depth)?;
        match value {
            Value::String(text) => num_bytes += text.len(),
            Value::Array(items) => todo.extend(items.iter().map(|item| (item, depth + 1))),
            Value::Object(members) => {
                num_bytes += members.keys().map(String::len).sum::<usize>();
                todo.extend(members.values().map(|item| (item, depth + 1)));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
        check("bytes", MAX_TEXT, num_bytes)?;
    }
    Ok(())
}

pub(super) fn check(what: &'static str, limit: usize, found: usize) -> Result<(), GrammarError> {
    if found > limit {
        return Err(GrammarError::TooLarge { what, limit, found });
    }
    Ok(())
}
