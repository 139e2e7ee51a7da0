//! A list of texts as a grammar.

use std::fmt::Write as _;

use super::{GrammarError, limits};

/// One of `texts`, exactly.
///
/// A text that begins another one is no trouble: all of them are one regular expression, so the reply may
/// go on as long as some text does, and end where any does.
pub(super) fn to_lark(texts: &[String]) -> Result<String, GrammarError> {
    let invalid = |why: &str| GrammarError::Invalid {
        kind: "choice",
        why: why.to_owned(),
    };
    limits::check("choices", limits::MAX_CHOICES, texts.len())?;
    let num_bytes = texts.iter().map(String::len).sum();
    limits::check("bytes", limits::MAX_TEXT, num_bytes)?;
    if texts.is_empty() {
        return Err(invalid("expected at least one text, found none"));
    }
    if texts.iter().any(String::is_empty) {
        return Err(invalid("expected texts, found an empty one"));
    }
    let mut lark = "start: CHOICE\nCHOICE: ".to_owned();
    for (i, text) in texts.iter().enumerate() {
        let bar = if i == 0 { "" } else { "\n  | " };
        let _ = write!(lark, "{bar}{}", quoted(text));
    }
    lark.push('\n');
    Ok(lark)
}

/// `text` as a string of Lark.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if (c as u32) < 0x20 || c as u32 == 0x7F => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
