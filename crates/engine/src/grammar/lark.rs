//! Grammars in Lark: the JSON schemas in them are checked as any other.
//!
//! Tokens as in `llguidance`'s `docs/syntax.md`: strings, regular expressions and comments may contain `%json`
//! without meaning it.

use serde_json::{Deserializer, Value};

use super::{GrammarError, limits, schema};

const JSON: &str = "%json";

/// The grammar with each `%json` schema checked and rewritten.
pub(super) fn checked(text: &str) -> Result<String, GrammarError> {
    limits::check_text(text)?;
    if text.trim().is_empty() {
        return Err(invalid("expected rules, found an empty text"));
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let (plain, after) = rest.split_at(token_len(rest));
        if plain != JSON {
            out.push_str(plain);
            rest = after;
            continue;
        }
        let mut values = Deserializer::from_str(after).into_iter::<Value>();
        let value = match values.next() {
            Some(Ok(value)) => value,
            Some(Err(e)) => return Err(invalid(&format!("`%json`: {e}"))),
            None => return Err(invalid("`%json`: expected a schema, found the end")),
        };
        rest = &after[values.byte_offset()..];
        out.push_str(JSON);
        out.push(' ');
        out.push_str(&schema::prepared(&value)?.to_string());
    }
    Ok(out)
}

/// Bytes of the token that `text` begins with; of one character if it is none of those that matter.
fn token_len(text: &str) -> usize {
    let first = text.chars().next().map_or(0, char::len_utf8);
    if text.starts_with('#') || text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with(JSON) {
        return JSON.len();
    }
    match text.as_bytes()[0] {
        quote @ (b'"' | b'/') => {
            let mut escaped = false;
            for (i, byte) in text.bytes().enumerate().skip(1) {
                match byte {
                    _ if escaped => escaped = false,
                    b'\\' => escaped = true,
                    byte if byte == quote => return i + 1,
                    _ => {}
                }
            }
            text.len()
        }
        _ => first,
    }
}

fn invalid(why: &str) -> GrammarError {
    GrammarError::Invalid {
        kind: "Lark grammar",
        why: why.to_owned(),
    }
}
