//! `"%s" % value` and `"{}".format(value)`.
//!
//! The engine's formatter does the work; here its widths are bounded (a width is memory) and
//! values that are not numbers are turned into Python's text first.

use minijinja::formatting::{FormatStyle, format};
use minijinja::value::ValueKind;
use minijinja::{Error, Value};

use super::error::limit;
use super::limits::Meter;
use super::print::to_text;
use super::value::{items, pairs};

/// Widest field of a format string.
const MAX_WIDTH: u32 = 1000;

/// `left % right` for a string on the left: a tuple gives several values, anything else one.
pub(super) fn percent_format(
    meter: &mut Meter,
    left: &Value,
    right: &Value,
) -> Result<Value, Error> {
    let values = if right.is_tuple() {
        items(meter, right)?
    } else {
        vec![right.clone()]
    };
    apply(
        meter,
        FormatStyle::Printf,
        left.as_str().unwrap_or_default(),
        values,
    )
}

/// Formats `values` (the last may be a dictionary of named ones) by `template`.
pub(super) fn apply(
    meter: &mut Meter,
    style: FormatStyle,
    template: &str,
    values: Vec<Value>,
) -> Result<Value, Error> {
    meter.work(template.len())?;
    check_widths(style, template)?;
    let mut texts = Vec::with_capacity(values.len());
    let mut longest = 16;
    for value in values {
        let text = as_text(meter, value)?;
        longest = longest.max(text.as_str().map_or(16, str::len));
        texts.push(text);
    }
    let fields = template
        .bytes()
        .filter(|byte| matches!(byte, b'%' | b'{'))
        .count();
    let widest = longest.saturating_add(MAX_WIDTH as usize * 4);
    meter.make(template.len().saturating_add(fields.saturating_mul(widest)))?;
    format(style, template, &texts).map(Value::from)
}

/// Numbers and strings as they are, a dictionary of named values entry by entry, the rest printed.
fn as_text(meter: &mut Meter, value: Value) -> Result<Value, Error> {
    Ok(match value.kind() {
        ValueKind::Number | ValueKind::String => value,
        _ if value.is_kwargs() => {
            let mut named = Vec::new();
            for (key, value) in pairs(meter, &value)? {
                named.push((key, as_text(meter, value)?));
            }
            Value::from(minijinja::value::Kwargs::from_iter(
                named
                    .iter()
                    .filter_map(|(key, value)| Some((key.as_str()?, value.clone()))),
            ))
        }
        _ => Value::from(to_text(meter, &value)?),
    })
}

/// Refuses widths and precisions beyond [`MAX_WIDTH`], and those taken from an argument.
fn check_widths(style: FormatStyle, template: &str) -> Result<(), Error> {
    let too_wide = || limit(format!("{MAX_WIDTH} for the width of a formatted field"));
    let (mut number, mut depth) = (0_u32, 0_u32);
    for c in template.chars() {
        let digit = c.to_digit(10);
        number = digit.map_or(0, |digit| number.saturating_mul(10).saturating_add(digit));
        match style {
            // 1 between a percent sign and its conversion letter, 2 inside `%(name)`.
            FormatStyle::Printf => match c {
                '%' => depth = 1 - depth.min(1),
                '(' if depth == 1 => depth = 2,
                ')' if depth == 2 => depth = 1,
                '*' if depth == 1 => return Err(too_wide()),
                '#' | '-' | '+' | ' ' | '.' => {}
                _ if depth == 1 && digit.is_none() => depth = 0,
                _ => {}
            },
            FormatStyle::StrFormat => match c {
                '{' => depth = 1,
                '}' => depth = 0,
                _ => {}
            },
        }
        if depth > 0 && number > MAX_WIDTH {
            return Err(too_wide());
        }
    }
    Ok(())
}
