//! Grammars in Lark: the JSON schemas in them are checked as any other, and marks become tokens.
//!
//! Two words are ours. `%token "M"` is the control token that is written `M`, or that text if the vocabulary has no
//! such token. `%until name TEXT "M"`, on a line of its own, defines `name` as any text up to and with the first `M`,
//! and `TEXT` as some text without one; so `start: TEXT? | name rest` leaves text free until a mark comes.
//!
//! Tokens as in `llguidance`'s `docs/syntax.md`: strings, regular expressions and comments may contain such a word
//! without meaning it.

use std::fmt::Write as _;

use serde_json::{Deserializer, Value};

use super::choice::quoted;
use super::{GrammarError, limits, schema};

const JSON: &str = "%json";
const TOKEN: &str = "%token";
const UNTIL: &str = "%until";

/// The grammar with each `%json` schema checked and rewritten, and our words in those of `llguidance`. `control` knows
/// control tokens by what is written for them.
pub(super) fn checked(
    text: &str,
    control: &dyn Fn(&str) -> Option<u32>,
) -> Result<String, GrammarError> {
    limits::check_text(text)?;
    if text.trim().is_empty() {
        return Err(invalid("expected rules, found an empty text"));
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let (plain, after) = rest.split_at(token_len(rest));
        if plain == TOKEN {
            let (mark, after) = string(after)?;
            match control(&mark) {
                Some(id) => _ = write!(out, "<[{id}]>"),
                None => out.push_str(&quoted(&mark)),
            }
            rest = after;
            continue;
        }
        if plain == UNTIL {
            let (name, after) = word(after)?;
            let (text, after) = word(after)?;
            let (mark, after) = string(after)?;
            until(&mut out, name, text, &mark, control(&mark));
            rest = after;
            continue;
        }
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
    if let Some(word) = [JSON, TOKEN, UNTIL]
        .into_iter()
        .find(|&word| text.starts_with(word))
    {
        return word.len();
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

/// The string that comes next, and what follows it.
fn string(text: &str) -> Result<(String, &str), GrammarError> {
    let mut values = Deserializer::from_str(text).into_iter::<String>();
    match values.next() {
        Some(Ok(value)) if !value.is_empty() => Ok((value, &text[values.byte_offset()..])),
        _ => Err(invalid(
            "`%token` and `%until`: expected a text in double quotes",
        )),
    }
}

/// The name that comes next, and what follows it.
fn word(text: &str) -> Result<(&str, &str), GrammarError> {
    let text = text.trim_start();
    let end = text
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    if end == 0 {
        return Err(invalid(
            "`%until`: expected two names and a text in double quotes",
        ));
    }
    Ok(text.split_at(end))
}

/// Text of characters never contains a control token. Text up to written marks is one lazy token of the lexer, which
/// ends with the first of them, beside text that has none.
fn until(out: &mut String, name: &str, text: &str, mark: &str, control: Option<u32>) {
    let _ = match control {
        Some(id) => write!(out, "{name}: {text}? <[{id}]>\n{text}: /(?s:.+)/"),
        None => {
            let mut escaped = String::new();
            for c in mark.chars() {
                if c.is_ascii() && !c.is_ascii_alphanumeric() {
                    // Not `\<`, which would be the start of a word.
                    let _ = write!(escaped, "\\x{{{:x}}}", c as u32);
                } else {
                    escaped.push(c);
                }
            }
            write!(
                out,
                "{name}[lazy]: /(?s:.*){escaped}/\n{text}: /(?s:.+)/ & ~/(?s:.*){escaped}(?s:.*)/"
            )
        }
    };
}

fn invalid(why: &str) -> GrammarError {
    GrammarError::Invalid {
        kind: "Lark grammar",
        why: why.to_owned(),
    }
}
