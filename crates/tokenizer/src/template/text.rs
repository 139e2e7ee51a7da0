//! Pieces of Python's `str` that Rust's `str` does differently.

use minijinja::Error;

use super::error::operation;
use super::limits::Meter;

/// `str.strip(chars)`: `left` and `right` say which ends; no `chars` means whitespace.
pub(super) fn strip<'t>(text: &'t str, chars: Option<&str>, left: bool, right: bool) -> &'t str {
    let remove = |c: char| chars.map_or_else(|| is_space(c), |chars| chars.contains(c));
    let text = if left {
        text.trim_start_matches(remove)
    } else {
        text
    };
    if right {
        text.trim_end_matches(remove)
    } else {
        text
    }
}

/// Python's `str.isspace`: Unicode white space and the four ASCII separators.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

/// `str.splitlines(keepends)`.
pub(super) fn split_lines(text: &str, keep_ends: bool) -> Vec<&str> {
    let breaks = |c: char| {
        matches!(
            c,
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'
                ..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}'
        )
    };
    let (mut lines, mut rest) = (Vec::new(), text);
    while let Some(at) = rest.find(breaks) {
        let first = rest[at..].chars().next().map_or(1, char::len_utf8);
        let end = at
            + if rest[at..].starts_with("\r\n") {
                2
            } else {
                first
            };
        lines.push(&rest[..if keep_ends { end } else { at }]);
        rest = &rest[end..];
    }
    if !rest.is_empty() {
        lines.push(rest);
    }
    lines
}

/// `str.split(separator, limit)`, or `rsplit` from the right.
pub(super) fn split<'t>(
    text: &'t str,
    separator: Option<&str>,
    limit: Option<i64>,
    from_right: bool,
) -> Result<Vec<&'t str>, Error> {
    let limit = limit
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(usize::MAX);
    let Some(separator) = separator else {
        return Ok(split_space(text, limit, from_right));
    };
    if separator.is_empty() {
        return Err(operation("empty separator"));
    }
    let pieces = limit.saturating_add(1);
    if from_right {
        let mut parts: Vec<&str> = text.rsplitn(pieces, separator).collect();
        parts.reverse();
        return Ok(parts);
    }
    Ok(text.splitn(pieces, separator).collect())
}

/// Splits at runs of white space, ignoring those at the ends.
fn split_space(text: &str, limit: usize, from_right: bool) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = strip(text, None, true, true);
    while !rest.is_empty() {
        let cut = if from_right {
            rest.rfind(is_space)
        } else {
            rest.find(is_space)
        };
        let Some(at) = cut.filter(|_| parts.len() < limit) else {
            parts.push(rest);
            break;
        };
        let width = rest[at..].chars().next().map_or(1, char::len_utf8);
        let (before, after) = (&rest[..at], &rest[at + width..]);
        if from_right {
            parts.push(after);
            rest = strip(before, None, false, true);
        } else {
            parts.push(before);
            rest = strip(after, None, true, false);
        }
    }
    if from_right {
        parts.reverse();
    }
    parts
}

/// First letter upper case, the rest lower case.
pub(super) fn capitalize(text: &str) -> String {
    let mut chars = text.chars();
    let first: String = chars
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .collect();
    first + &chars.as_str().to_lowercase()
}

/// Upper case after whatever `begins` holds for (and at the start), lower case elsewhere.
pub(super) fn title(text: &str, begins: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at_start = true;
    for c in text.chars() {
        if at_start {
            out.extend(c.to_uppercase());
        } else {
            out.extend(c.to_lowercase());
        }
        at_start = begins(c);
    }
    out
}

/// `text` between blanks so that it is `width` characters wide.
pub(super) fn pad(text: &str, width: usize, fill: char, left: bool, right: bool) -> String {
    let missing = width.saturating_sub(text.chars().count());
    let before = match (left, right) {
        // Python puts the odd blank of a centred text by this rule.
        (true, true) => missing / 2 + (missing & width & 1),
        (true, false) => missing,
        _ => 0,
    };
    let fill_by = |n: usize| std::iter::repeat_n(fill, n);
    fill_by(before)
        .chain(text.chars())
        .chain(fill_by(missing - before))
        .collect()
}

/// `text` with the characters that mean something in HTML replaced (markupsafe's spelling).
pub(super) fn escape_html(meter: &mut Meter, text: &str) -> Result<String, Error> {
    meter.make(text.len().saturating_mul(5))?;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    Ok(out)
}
