//! Methods of Python's `str`, `dict` and `list` that templates call.
//!
//! Methods that change their object are refused in the words of Jinja's immutable sandbox, under
//! which Hugging Face runs templates.

use minijinja::formatting::FormatStyle;
use minijinja::value::{Tuple, ValueKind};
use minijinja::{Error, ErrorKind, State, Value};

use super::args::Args;
use super::compare::equal;
use super::error::operation;
use super::limits::{Meter, meter};
use super::text::{capitalize, is_space, pad, split, split_lines, strip, title};
use super::value::{dict, is_list, items, pair, pairs, type_name};

/// Calls `value.name(args)`.
pub(super) fn call_method(
    state: &mut State<'_, '_>,
    value: &Value,
    name: &str,
    args: &[Value],
) -> Result<Value, Error> {
    let meter = meter(state);
    let result = match value.kind() {
        ValueKind::String => {
            let text = value.as_str().unwrap_or_default();
            str_method(meter, text, name, args)
        }
        ValueKind::Map => dict_method(meter, value, name, args),
        _ if is_list(value) => list_method(meter, value, name, args),
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    };
    result.map_err(|error| match error.kind() {
        // The engine adds which expression was undefined.
        ErrorKind::UnknownMethod => Error::new(
            ErrorKind::UnknownMethod,
            match value.kind() {
                ValueKind::Undefined => format!("cannot call '{name}'"),
                ValueKind::None => format!("'None' has no attribute '{name}'"),
                _ => format!("'{} object' has no attribute '{name}'", type_name(value)),
            },
        ),
        _ => error,
    })
}

fn unsafe_method(value: &Value, name: &str) -> Error {
    operation(format!(
        "access to attribute '{name}' of '{}' object is unsafe.",
        type_name(value)
    ))
}

fn list_method(
    meter: &mut Meter,
    value: &Value,
    name: &str,
    args: &[Value],
) -> Result<Value, Error> {
    let needle = |args: &[Value]| {
        Args::from_values(args.iter().cloned())
            .names(&["value"])?
            .first()
            .cloned()
    };
    match name {
        "append" | "extend" | "insert" | "pop" | "remove" | "reverse" | "sort" | "clear"
            if !value.is_tuple() =>
        {
            Err(unsafe_method(value, name))
        }
        "copy" => Ok(Value::from(items(meter, value)?)),
        "count" => {
            let (needle, mut count) = (needle(args)?, 0);
            for item in value.try_iter()? {
                count += i64::from(equal(meter, &item, &needle, 0)?);
            }
            Ok(Value::from(count))
        }
        "index" => {
            let needle = needle(args)?;
            for (at, item) in value.try_iter()?.enumerate() {
                if equal(meter, &item, &needle, 0)? {
                    return Ok(Value::from(at));
                }
            }
            Err(operation("the value is not in the list"))
        }
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

fn dict_method(
    meter: &mut Meter,
    value: &Value,
    name: &str,
    args: &[Value],
) -> Result<Value, Error> {
    match name {
        "clear" | "pop" | "popitem" | "setdefault" | "update" => Err(unsafe_method(value, name)),
        "keys" => Ok(pairs(meter, value)?
            .into_iter()
            .map(|(key, _)| key)
            .collect()),
        "values" => Ok(pairs(meter, value)?
            .into_iter()
            .map(|(_, value)| value)
            .collect()),
        "items" => Ok(pairs(meter, value)?
            .into_iter()
            .map(|(k, v)| pair(k, v))
            .collect()),
        "copy" => {
            let all = pairs(meter, value)?;
            dict(meter, all)
        }
        "get" => {
            let args = Args::from_values(args.iter().cloned()).names(&["key", "default"])?;
            super::value::check_depth(meter, args.first()?)?;
            let found = value
                .as_object()
                .and_then(|object| object.get_value(args.first().ok()?));
            Ok(found
                .or_else(|| args.get(1).cloned())
                .unwrap_or_else(|| Value::from(())))
        }
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

fn str_method(meter: &mut Meter, text: &str, name: &str, args: &[Value]) -> Result<Value, Error> {
    if name.starts_with("is") || name.ends_with("swith") || name.ends_with("find") {
        meter.work(text.len())?;
    } else {
        // Nothing below makes more than that, except where it says so.
        meter.make(text.len().saturating_mul(2))?;
    }
    let args = Args::from_values(args.iter().cloned());
    let all = |test: fn(char) -> bool| Value::from(!text.is_empty() && text.chars().all(test));
    Ok(match name {
        "strip" => Value::from(strip(text, args.names(&["chars"])?.text(0)?, true, true)),
        "lstrip" => Value::from(strip(text, args.names(&["chars"])?.text(0)?, true, false)),
        "rstrip" => Value::from(strip(text, args.names(&["chars"])?.text(0)?, false, true)),
        "upper" => Value::from(text.to_uppercase()),
        "lower" | "casefold" => Value::from(text.to_lowercase()),
        "capitalize" => Value::from(capitalize(text)),
        "title" => Value::from(title(text, |c| !c.is_alphabetic())),
        "swapcase" => Value::from(text.chars().map(swap_case).collect::<String>()),
        "isspace" => all(is_space),
        "isdigit" | "isdecimal" => all(|c| c.is_numeric() && !c.is_alphabetic()),
        "isnumeric" => all(char::is_numeric),
        "isalpha" => all(char::is_alphabetic),
        "isalnum" => all(char::is_alphanumeric),
        "isascii" => Value::from(text.is_ascii()),
        "isupper" => Value::from(
            text.chars().any(char::is_uppercase) && !text.chars().any(char::is_lowercase),
        ),
        "islower" => Value::from(
            text.chars().any(char::is_lowercase) && !text.chars().any(char::is_uppercase),
        ),
        "startswith" | "endswith" => affix(meter, text, name == "startswith", args)?,
        "removeprefix" | "removesuffix" => {
            let args = args.names(&["affix"])?;
            let affix = args.text(0)?.unwrap_or_default();
            let cut = if name == "removeprefix" {
                text.strip_prefix(affix)
            } else {
                text.strip_suffix(affix)
            };
            Value::from(cut.unwrap_or(text))
        }
        "split" | "rsplit" => {
            let args = args.names(&["sep", "maxsplit"])?;
            let parts = split(text, args.text(0)?, args.int(1)?, name == "rsplit")?;
            list(meter, parts)?
        }
        "splitlines" => {
            let args = args.names(&["keepends"])?;
            list(meter, split_lines(text, args.flag(0, false)))?
        }
        "partition" | "rpartition" => {
            let args = args.names(&["sep"])?;
            let sep = args.text(0)?.filter(|sep| !sep.is_empty());
            let sep = sep.ok_or_else(|| operation("empty separator"))?;
            let (parts, missing) = if name == "partition" {
                (text.split_once(sep), [text, "", ""])
            } else {
                (text.rsplit_once(sep), ["", "", text])
            };
            let parts = parts.map_or(missing, |(before, after)| [before, sep, after]);
            Value::from(Tuple::from(parts.map(Value::from)))
        }
        "replace" => {
            let args = args.names(&["old", "new", "count"])?;
            let count = args.int(2)?.unwrap_or(-1);
            replace(meter, text, args.text(0)?, args.text(1)?, count)?
        }
        "join" => {
            let args = args.names(&["iterable"])?;
            let parts = items(meter, args.first()?)?;
            join(meter, text, &parts, |meter, part| match part.as_str() {
                Some(text) => meter.make(text.len()).map(|()| text.to_owned()),
                None => Err(operation(format!(
                    "sequence item: expected str instance, {} found",
                    type_name(part)
                ))),
            })?
        }
        "find" | "rfind" | "index" | "rindex" => {
            let args = args.names(&["sub"])?;
            let part = args.text(0)?.unwrap_or_default();
            let at = if name.starts_with('r') {
                text.rfind(part)
            } else {
                text.find(part)
            };
            if at.is_none() && name.ends_with("index") {
                return Err(operation("substring not found"));
            }
            Value::from(at.map_or(-1, |at| text[..at].chars().count() as i64))
        }
        "count" => {
            let args = args.names(&["sub"])?;
            Value::from(text.matches(args.text(0)?.unwrap_or_default()).count())
        }
        "center" | "ljust" | "rjust" => {
            let args = args.names(&["width", "fill"])?;
            let width = usize::try_from(args.int(0)?.unwrap_or(0)).unwrap_or(0);
            let fill = args
                .text(1)?
                .and_then(|fill| fill.chars().next())
                .unwrap_or(' ');
            meter.make(width.saturating_mul(4))?;
            Value::from(pad(text, width, fill, name != "ljust", name != "rjust"))
        }
        "zfill" => {
            let args = args.names(&["width"])?;
            let width = usize::try_from(args.int(0)?.unwrap_or(0)).unwrap_or(0);
            meter.make(width)?;
            let (sign, digits) = match text.strip_prefix(['-', '+']) {
                Some(digits) => (&text[..1], digits),
                None => ("", text),
            };
            let digits = pad(digits, width.saturating_sub(sign.len()), '0', true, false);
            Value::from(format!("{sign}{digits}"))
        }
        "format" => {
            let (mut values, named) = args.into_parts();
            if !named.is_empty() {
                let named = named
                    .iter()
                    .filter_map(|(k, v)| Some((k.as_str()?, v.clone())));
                values.push(Value::from(minijinja::value::Kwargs::from_iter(named)));
            }
            super::format::apply(meter, FormatStyle::StrFormat, text, values)?
        }
        _ => return Err(Error::from(ErrorKind::UnknownMethod)),
    })
}

fn swap_case(c: char) -> char {
    if c.is_lowercase() {
        c.to_uppercase().next().unwrap_or(c)
    } else {
        c.to_lowercase().next().unwrap_or(c)
    }
}

fn list(meter: &mut Meter, parts: Vec<&str>) -> Result<Value, Error> {
    meter.make_list(parts.len())?;
    Ok(parts.into_iter().map(Value::from).collect())
}

/// `startswith` and `endswith`, whose argument may be a tuple of texts.
fn affix(meter: &mut Meter, text: &str, start: bool, args: Args) -> Result<Value, Error> {
    let args = args.names(&["affix"])?;
    let given = args.first()?;
    let choices = if is_list(given) {
        items(meter, given)?
    } else {
        vec![given.clone()]
    };
    for choice in &choices {
        let Some(affix) = choice.as_str() else {
            let method = if start { "startswith" } else { "endswith" };
            return Err(operation(format!(
                "{method} first arg must be str or a tuple of str, not {}",
                type_name(choice)
            )));
        };
        if if start {
            text.starts_with(affix)
        } else {
            text.ends_with(affix)
        } {
            return Ok(Value::from(true));
        }
    }
    Ok(Value::from(false))
}

/// `str.replace`; a negative `count` means all.
pub(super) fn replace(
    meter: &mut Meter,
    text: &str,
    old: Option<&str>,
    new: Option<&str>,
    count: i64,
) -> Result<Value, Error> {
    let (Some(old), Some(new)) = (old, new) else {
        return Err(operation("replace takes two strings"));
    };
    let most = usize::try_from(count).unwrap_or(usize::MAX);
    meter.work(text.len())?;
    let found = text.matches(old).take(most).count();
    meter.make(text.len().saturating_add(found.saturating_mul(new.len())))?;
    Ok(Value::from(text.replacen(old, new, most)))
}

/// `separator.join(parts)`, each part made text by `write`.
pub(super) fn join(
    meter: &mut Meter,
    separator: &str,
    parts: &[Value],
    mut write: impl FnMut(&mut Meter, &Value) -> Result<String, Error>,
) -> Result<Value, Error> {
    meter.make(separator.len().saturating_mul(parts.len()))?;
    let mut out = String::new();
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            out.push_str(separator);
        }
        out.push_str(&write(meter, part)?);
    }
    Ok(Value::from(out))
}
