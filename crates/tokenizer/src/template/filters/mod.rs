//! Jinja's filters, with Python's results and paid for.
//!
//! Left out because chat templates have no use for them: `filesizeformat`, `pprint`, `random`,
//! `striptags`, `urlencode`, `urlize`, `wordwrap`, `xmlattr`.

mod sequence;
mod text;

use minijinja::value::ValueKind;
use minijinja::{Environment, Error, State, Value};

use super::args::Args;
use super::error::operation;
use super::limits::meter;
use super::print::to_text;
use super::value::{Number, int, type_name};
use super::{compare, json};

/// Registers them.
pub(super) fn register(env: &mut Environment<'static>) {
    text::register(env);
    sequence::register(env);
    for (name, filter) in [
        ("abs", abs as super::Builtin),
        ("default", default),
        ("d", default),
        ("float", to_float),
        ("int", to_int),
        ("round", round),
        ("attr", attr),
        ("string", string),
        ("tojson", json::tojson),
    ] {
        super::add_filter(env, name, filter);
    }
}

/// The part of `value` that `path` names: a key, an index, or several of those between dots.
fn lookup(value: &Value, path: &Value) -> Value {
    let Some(path) = path.as_str() else {
        return value.get_item(path).unwrap_or(Value::UNDEFINED);
    };
    let mut found = value.clone();
    for part in path.split('.') {
        found = match part.parse::<usize>() {
            Ok(index) => found.get_item_by_index(index),
            Err(_) => found.get_attr(part),
        }
        .unwrap_or(Value::UNDEFINED);
    }
    found
}

/// Text folded for comparison unless the case matters; other values as they are.
fn fold(state: &mut State<'_, '_>, value: Value, case_sensitive: bool) -> Result<Value, Error> {
    match value.as_str() {
        Some(text) if !case_sensitive => {
            meter(state).make(text.len())?;
            Ok(Value::from(text.to_lowercase()))
        }
        _ => Ok(value),
    }
}

fn number(value: &Value) -> Result<Number, Error> {
    Number::of(value)
        .ok_or_else(|| operation(format!("expected a number, found {}", type_name(value))))
}

fn abs(_: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let args = args.names(&["value"])?;
    Ok(match number(args.first()?)? {
        Number::Int(value) => int(value.saturating_abs()),
        Number::Float(value) => Value::from(value.abs()),
    })
}

fn default(_: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let args = args.names(&["value", "default_value", "boolean"])?;
    let value = args.first()?;
    if value.is_undefined() || (args.flag(2, false) && !value.is_true()) {
        return Ok(args.any(1).cloned().unwrap_or_else(|_| Value::from("")));
    }
    Ok(value.clone())
}

fn to_float(_: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let args = args.names(&["value", "default"])?;
    let value = args.first()?;
    let read = match value.as_str() {
        Some(text) => text.trim().parse().ok(),
        None => Number::of(value).map(Number::as_f64),
    };
    Ok(read.map_or_else(
        || args.get(1).cloned().unwrap_or_else(|| Value::from(0.0)),
        Value::from,
    ))
}

fn to_int(_: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let args = args.names(&["value", "default", "base"])?;
    let value = args.first()?;
    let base = args
        .int(2)?
        .and_then(|base| u32::try_from(base).ok())
        .unwrap_or(10);
    let base = Some(base).filter(|base| (2..=36).contains(base));
    let base = base.ok_or_else(|| operation("int() base must be >= 2 and <= 36"))?;
    let truncated = |float: f64| {
        // Beyond 2^126 a float would not fit the integers of this engine.
        (float.is_finite() && float.abs() < 8e37).then_some(float as i128)
    };
    let read = match (value.as_str(), Number::of(value)) {
        (Some(text), _) => {
            let text = text.trim();
            i128::from_str_radix(text, base)
                .ok()
                .or_else(|| truncated(text.parse().ok()?))
        }
        (None, Some(Number::Int(value))) => Some(value),
        (None, Some(Number::Float(value))) => truncated(value),
        (None, None) => None,
    };
    Ok(read.map_or_else(
        || args.get(1).cloned().unwrap_or_else(|| Value::from(0)),
        int,
    ))
}

fn round(_: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let args = args.names(&["value", "precision", "method"])?;
    let precision = args.int(1)?.unwrap_or(0).clamp(-300, 300) as i32;
    let method = args.text(2)?.unwrap_or("common");
    let given = number(args.first()?)?;
    if let (Number::Int(value), "common", 0..) = (given, method, precision) {
        return Ok(int(value));
    }
    let (value, factor) = (given.as_f64(), 10_f64.powi(precision));
    Ok(Value::from(match method {
        "ceil" => (value * factor).ceil() / factor,
        "floor" => (value * factor).floor() / factor,
        // The decimal expansion is exact, so a tie is a true tie and goes to the even digit.
        "common" if precision >= 0 && value.is_finite() => {
            let width = precision as usize;
            format!("{value:.width$}").parse().unwrap_or(value)
        }
        "common" => (value * factor).round_ties_even() / factor,
        _ => return Err(operation("method must be common, ceil or floor")),
    }))
}

fn attr(_: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let args = args.names(&["value", "name"])?;
    let name = args.text(1)?.unwrap_or_default();
    Ok(args.first()?.get_attr(name).unwrap_or(Value::UNDEFINED))
}

fn string(state: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let args = args.names(&["value"])?;
    let value = args.first()?;
    match value.kind() {
        ValueKind::String => Ok(value.clone()),
        _ => Ok(Value::from(to_text(meter(state), value)?)),
    }
}

/// Order of two values for `sort`, `min` and their kin; NaNs come last.
fn order(
    state: &mut State<'_, '_>,
    left: &Value,
    right: &Value,
) -> Result<std::cmp::Ordering, Error> {
    Ok(
        compare::compare(meter(state), "<", left, right)?.unwrap_or_else(|| {
            let float = |value: &Value| Number::of(value).map_or(f64::NAN, Number::as_f64);
            float(left).total_cmp(&float(right))
        }),
    )
}
