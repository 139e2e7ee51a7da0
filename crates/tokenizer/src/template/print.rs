//! Values as text, the way Python prints them.
//!
//! Chat templates print lists, dictionaries, booleans and floats straight into prompts, and the
//! model was trained on what CPython wrote there: `{'city': 'Oslo'}`, `True`, `None`, `1e+16`.

use minijinja::value::ValueKind;
use minijinja::{Error, Value};

use super::error::limit;
use super::limits::{MAX_VALUE_DEPTH, Meter};

/// `str(value)`, paid for.
pub(super) fn to_text(meter: &mut Meter, value: &Value) -> Result<String, Error> {
    let mut out = String::new();
    write_text(meter, value, &mut out)?;
    Ok(out)
}

/// Appends `str(value)`; an undefined value prints as nothing.
pub(super) fn write_text(meter: &mut Meter, value: &Value, out: &mut String) -> Result<(), Error> {
    match value.as_str() {
        Some(text) => {
            meter.make(text.len())?;
            out.push_str(text);
            Ok(())
        }
        None if value.is_undefined() => Ok(()),
        None => write_repr(meter, value, out, 0),
    }
}

/// Appends `repr(value)`.
pub(super) fn write_repr(
    meter: &mut Meter,
    value: &Value,
    out: &mut String,
    depth: usize,
) -> Result<(), Error> {
    if depth > MAX_VALUE_DEPTH {
        return Err(limit(format!("{MAX_VALUE_DEPTH} nested values")));
    }
    meter.make(8)?;
    match value.kind() {
        ValueKind::String => {
            let text = value.as_str().unwrap_or_default();
            meter.make(text.len().saturating_mul(2))?;
            push_quoted(text, out);
        }
        ValueKind::Undefined => out.push_str("Undefined"),
        ValueKind::None => out.push_str("None"),
        ValueKind::Bool => out.push_str(if value.is_true() { "True" } else { "False" }),
        ValueKind::Number if value.is_integer() => out.push_str(&value.to_string()),
        ValueKind::Number => {
            push_float(
                f64::try_from(value.clone()).unwrap_or(f64::NAN),
                "inf",
                "nan",
                out,
            );
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let (open, close) = if value.is_tuple() {
                ('(', ')')
            } else {
                ('[', ']')
            };
            out.push(open);
            for (i, item) in value.try_iter()?.enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                write_repr(meter, &item, out, depth + 1)?;
            }
            if value.is_tuple() && value.len() == Some(1) {
                out.push(',');
            }
            out.push(close);
        }
        ValueKind::Map => {
            let pairs = value.as_object().and_then(|object| object.try_iter_pairs());
            out.push('{');
            for (i, (key, item)) in pairs.into_iter().flatten().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                write_repr(meter, &key, out, depth + 1)?;
                out.push_str(": ");
                write_repr(meter, &item, out, depth + 1)?;
            }
            out.push('}');
        }
        _ => out.push_str(&value.to_string()),
    }
    Ok(())
}

/// Appends `repr` of a float: the shortest digits that read back the same, with an exponent
/// outside 1e-4 to 1e16.
pub(super) fn push_float(value: f64, infinity: &str, nan: &str, out: &mut String) {
    if value.is_nan() {
        return out.push_str(nan);
    }
    if value.is_infinite() {
        if value < 0.0 {
            out.push('-');
        }
        return out.push_str(infinity);
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific
        .split_once('e')
        .expect("`{:e}` writes an exponent");
    let exponent: i32 = exponent.parse().expect("`{:e}` writes a number there");
    if value != 0.0 && !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        out.push_str(&format!("{digits}e{sign}{:02}", exponent.abs()));
    } else {
        let plain = value.to_string();
        out.push_str(&plain);
        if !plain.contains('.') {
            out.push_str(".0");
        }
    }
}

/// Appends `text` in quotes: single ones unless it holds those and no double ones.
fn push_quoted(text: &str, out: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => out.extend(['\\', c]),
            c if printable(c) => out.push(c),
            c if u32::from(c) < 0x100 => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if u32::from(c) < 0x1_0000 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    out.push(quote);
}

/// Python's `str.isprintable` without its tables: controls, format marks, private use and
/// separators other than the blank are not. Unassigned code points are taken for printable.
fn printable(c: char) -> bool {
    !matches!(u32::from(c),
        0..=0x1f | 0x7f..=0xa0 | 0xad | 0x600..=0x605 | 0x61c | 0x6dd | 0x70f | 0x1680 | 0x180e
        | 0x2000..=0x200f | 0x2028..=0x202f | 0x205f..=0x206f | 0x3000 | 0xe000..=0xf8ff
        | 0xfeff | 0xfff9..=0xfffb | 0xe0000..=0xe0fff | 0xf_0000..=0x10_ffff)
}
