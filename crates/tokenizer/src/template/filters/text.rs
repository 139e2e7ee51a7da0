//! Filters that make text.

use minijinja::formatting::FormatStyle;
use minijinja::{Environment, Error, State, Value};

use crate::template::args::{Args, Bound};
use crate::template::error::operation;
use crate::template::limits::{Meter, meter};
use crate::template::print::to_text;
use crate::template::text::{capitalize, escape_html, is_space, pad, split_lines, strip, title};
use crate::template::{Builtin, add_filter, format, methods};

pub(super) fn register(env: &mut Environment<'static>) {
    for (name, filter) in [
        (
            "capitalize",
            (|state, args| change(state, args, capitalize)) as Builtin,
        ),
        ("lower", |state, args| {
            change(state, args, str::to_lowercase)
        }),
        ("upper", |state, args| {
            change(state, args, str::to_uppercase)
        }),
        ("title", |state, args| {
            change(state, args, |text| title(text, title_break))
        }),
        ("trim", trim),
        ("replace", replace),
        ("indent", indent),
        ("center", center),
        ("truncate", truncate),
        ("wordcount", wordcount),
        ("format", format_filter),
        ("escape", escape),
        ("e", escape),
        ("forceescape", escape),
        ("safe", safe),
    ] {
        add_filter(env, name, filter);
    }
}

/// Jinja's `title` begins a word after these only, unlike Python's method.
fn title_break(c: char) -> bool {
    is_space(c) || matches!(c, '-' | '(' | '{' | '[' | '<')
}

/// The first argument as text, and the meter.
fn text<'s>(state: &'s mut State<'_, '_>, args: &Bound) -> Result<(&'s mut Meter, String), Error> {
    let meter = meter(state);
    let text = to_text(meter, args.first()?)?;
    Ok((meter, text))
}

fn change(
    state: &mut State<'_, '_>,
    args: Args,
    change: impl Fn(&str) -> String,
) -> Result<Value, Error> {
    let (meter, text) = text(state, &args.names(&["value"])?)?;
    meter.make(text.len())?;
    Ok(Value::from(change(&text)))
}

fn trim(state: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let args = args.names(&["value", "chars"])?;
    let (_, text) = text(state, &args)?;
    Ok(Value::from(strip(&text, args.text(1)?, true, true)))
}

fn replace(state: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let args = args.names(&["value", "old", "new", "count"])?;
    let (meter, text) = text(state, &args)?;
    let (old, new) = (to_text(meter, args.any(1)?)?, to_text(meter, args.any(2)?)?);
    methods::replace(
        meter,
        &text,
        Some(&old),
        Some(&new),
        args.int(3)?.unwrap_or(-1),
    )
}

fn indent(state: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let args = args.names(&["value", "width", "first", "blank"])?;
    let (first, blank) = (args.flag(2, false), args.flag(3, false));
    let (meter, mut text) = text(state, &args)?;
    let prefix = match args.get(1).map(|width| (width, width.as_str())) {
        Some((_, Some(prefix))) => prefix.to_owned(),
        _ => {
            let width = usize::try_from(args.int(1)?.unwrap_or(4)).unwrap_or(0);
            meter.make(width)?;
            " ".repeat(width)
        }
    };
    // As Jinja does it: the added line end makes `splitlines` keep a last empty line.
    text.push('\n');
    let lines = split_lines(&text, false);
    meter.make(
        text.len()
            .saturating_add(lines.len().saturating_mul(prefix.len())),
    )?;
    let mut out = String::new();
    for (i, line) in lines.iter().enumerate() {
        if i > 0 {
            out.push('\n');
        }
        if if i == 0 {
            first
        } else {
            blank || !line.is_empty()
        } {
            out.push_str(&prefix);
        }
        out.push_str(line);
    }
    Ok(Value::from(out))
}

fn center(state: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let args = args.names(&["value", "width"])?;
    let (meter, text) = text(state, &args)?;
    let width = usize::try_from(args.int(1)?.unwrap_or(80)).unwrap_or(0);
    meter.make(width.saturating_add(text.len()))?;
    Ok(Value::from(pad(&text, width, ' ', true, true)))
}

fn truncate(state: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let args = args.names(&["value", "length", "killwords", "end", "leeway"])?;
    let (_, text) = text(state, &args)?;
    let end = args.text(3)?.unwrap_or("...");
    let size = |value: Option<i64>, default| {
        value.map_or(default, |value| usize::try_from(value).unwrap_or(0))
    };
    let (length, leeway) = (size(args.int(1)?, 255), size(args.int(4)?, 5));
    let end_length = end.chars().count();
    if length < end_length {
        return Err(operation(format!(
            "expected length >= {end_length}, got {length}"
        )));
    }
    if text.chars().count() <= length.saturating_add(leeway) {
        return Ok(Value::from(text));
    }
    let kept: String = text.chars().take(length - end_length).collect();
    let kept = match kept.rsplit_once(' ') {
        Some((whole_words, _)) if !args.flag(2, false) => whole_words,
        _ => &kept,
    };
    Ok(Value::from(format!("{kept}{end}")))
}

fn wordcount(state: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let (_, text) = text(state, &args.names(&["value"])?)?;
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    Ok(Value::from(words.filter(|word| !word.is_empty()).count()))
}

/// `"%s and %s"|format(a, b)`.
fn format_filter(state: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let (mut values, named) = args.into_parts();
    if values.is_empty() {
        return Err(operation("format takes a format"));
    }
    let meter = meter(state);
    let template = to_text(meter, &values.remove(0))?;
    if !named.is_empty() {
        let named = named
            .iter()
            .filter_map(|(k, v)| Some((k.as_str()?, v.clone())));
        values.push(Value::from(minijinja::value::Kwargs::from_iter(named)));
    }
    format::apply(meter, FormatStyle::Printf, &template, values)
}

fn escape(state: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let args = args.names(&["value"])?;
    if args.first()?.is_safe() {
        return args.first().cloned();
    }
    let (meter, text) = text(state, &args)?;
    Ok(Value::from_safe_string(escape_html(meter, &text)?))
}

/// Marks text as HTML already. Nothing escapes on output here, but Python's `Markup + str` does.
fn safe(state: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let (_, text) = text(state, &args.names(&["value"])?)?;
    Ok(Value::from_safe_string(text))
}
