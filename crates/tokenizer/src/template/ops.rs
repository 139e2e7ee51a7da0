//! Python's operators on template values, paid for.
//!
//! The engine's own operators follow Python closely but let a string double without end, so
//! [`lower`](super::lower) routes every operator here. Wording of errors is CPython's.

use std::cmp::Ordering;

use minijinja::value::{Tuple, ValueKind};
use minijinja::{Error, State, Value};

use super::args::Args;
use super::error::{limit, operation, undefined};
use super::format::percent_format;
use super::limits::{MAX_VALUE_DEPTH, Meter, meter};
use super::print::write_text;
use super::value::{Number, int, is_list, items, type_name};

/// Applies the operator `symbol`. Arguments: left, right, and how the template spelled each
/// operand (a string or None), for the error if it is undefined.
pub(super) fn binary(
    symbol: &'static str,
    state: &mut State<'_, '_>,
    args: Args,
) -> Result<Value, Error> {
    let args = args.names(&["left", "right", "left_name", "right_name"])?;
    let (left, right) = (args.any(0)?, args.any(1)?);
    let meter = meter(state);
    // Undefined operands may be printed, compared for equality and searched for, nothing else.
    if !matches!(symbol, "~" | "==" | "!=" | "in") {
        for (value, name) in [(left, 2), (right, 3)] {
            if value.is_undefined() {
                return Err(undefined(
                    args.text(name)?.unwrap_or("an operand is undefined"),
                ));
            }
        }
    }
    match symbol {
        "~" => {
            let mut text = String::new();
            write_text(meter, left, &mut text)?;
            write_text(meter, right, &mut text)?;
            Ok(Value::from(text))
        }
        "+" => add(meter, left, right),
        "*" => multiply(meter, left, right),
        "%" if left.kind() == ValueKind::String => percent_format(meter, left, right),
        "-" | "/" | "//" | "%" | "**" => arithmetic(symbol, left, right),
        "==" => Ok(Value::from(equal(meter, left, right, 0)?)),
        "!=" => Ok(Value::from(!equal(meter, left, right, 0)?)),
        "in" => Ok(Value::from(contains(meter, right, left)?)),
        _ => {
            let ordering = compare(meter, symbol, left, right)?;
            Ok(Value::from(ordering.is_some_and(|ordering| match symbol {
                "<" => ordering.is_lt(),
                "<=" => ordering.is_le(),
                ">" => ordering.is_gt(),
                _ => ordering.is_ge(),
            })))
        }
    }
}

fn unsupported(symbol: &str, left: &Value, right: &Value) -> Error {
    operation(format!(
        "unsupported operand type(s) for {symbol}: '{}' and '{}'",
        type_name(left),
        type_name(right)
    ))
}

fn overflow(symbol: &str) -> Error {
    limit(format!("128 bits for the result of `{symbol}`"))
}

fn add(meter: &mut Meter, left: &Value, right: &Value) -> Result<Value, Error> {
    if let (Some(a), Some(b)) = (left.as_str(), right.as_str()) {
        meter.make(a.len() + b.len())?;
        return Ok(Value::from([a, b].concat()));
    }
    if is_list(left) && is_list(right) && left.is_tuple() == right.is_tuple() {
        let mut all = items(meter, left)?;
        all.append(&mut items(meter, right)?);
        return Ok(if left.is_tuple() {
            Value::from(Tuple::from(all))
        } else {
            Value::from(all)
        });
    }
    if Number::of(left).is_some() && Number::of(right).is_some() {
        return arithmetic("+", left, right);
    }
    let kind = type_name(left);
    if matches!(kind, "str" | "list" | "tuple") {
        let other = type_name(right);
        return Err(operation(format!(
            "can only concatenate {kind} (not \"{other}\") to {kind}"
        )));
    }
    Err(unsupported("+", left, right))
}

fn multiply(meter: &mut Meter, left: &Value, right: &Value) -> Result<Value, Error> {
    let (body, count) = match (Number::of(left), Number::of(right)) {
        (Some(_), Some(_)) => return arithmetic("*", left, right),
        (None, Some(Number::Int(count))) => (left, count),
        (Some(Number::Int(count)), None) => (right, count),
        _ => return Err(unsupported("*", left, right)),
    };
    let count = usize::try_from(count.max(0)).unwrap_or(usize::MAX);
    if let Some(text) = body.as_str() {
        meter.make(text.len().saturating_mul(count))?;
        return Ok(Value::from(text.repeat(count)));
    }
    if is_list(body) {
        let once = items(meter, body)?;
        meter.make_list(once.len().saturating_mul(count))?;
        let count = if once.is_empty() { 0 } else { count };
        let all: Vec<Value> = std::iter::repeat_n(once, count).flatten().collect();
        return Ok(if body.is_tuple() {
            Value::from(Tuple::from(all))
        } else {
            Value::from(all)
        });
    }
    Err(unsupported("*", left, right))
}

fn arithmetic(symbol: &str, left: &Value, right: &Value) -> Result<Value, Error> {
    let (Some(a), Some(b)) = (Number::of(left), Number::of(right)) else {
        return Err(unsupported(symbol, left, right));
    };
    if let (Number::Int(a), Number::Int(b)) = (a, b) {
        let zero = || operation("division by zero");
        let result = match symbol {
            "+" => a.checked_add(b),
            "-" => a.checked_sub(b),
            "*" => a.checked_mul(b),
            "//" if b == 0 => return Err(zero()),
            "//" => floor_divide(a, b).map(|(quotient, _)| quotient),
            "%" if b == 0 => return Err(zero()),
            "%" => floor_divide(a, b).map(|(_, remainder)| remainder),
            "**" if b >= 0 => u32::try_from(b).ok().and_then(|b| a.checked_pow(b)),
            "**" => return Ok(Value::from((a as f64).powf(b as f64))),
            _ if b == 0 => return Err(zero()),
            _ => return Ok(Value::from(a as f64 / b as f64)),
        };
        return result.map(int).ok_or_else(|| overflow(symbol));
    }
    let (a, b) = (a.as_f64(), b.as_f64());
    if b == 0.0 && matches!(symbol, "/" | "//" | "%") {
        return Err(operation("float division by zero"));
    }
    Ok(Value::from(match symbol {
        "+" => a + b,
        "-" => a - b,
        "*" => a * b,
        "/" => a / b,
        "//" => (a / b).floor(),
        "%" => {
            let remainder = a % b;
            if remainder != 0.0 && (remainder < 0.0) != (b < 0.0) {
                remainder + b
            } else {
                remainder
            }
        }
        _ => a.powf(b),
    }))
}

/// Quotient rounded down and the remainder with the divisor's sign; `b` is not 0.
fn floor_divide(a: i128, b: i128) -> Option<(i128, i128)> {
    let (quotient, remainder) = (a.checked_div(b)?, a.checked_rem(b)?);
    if remainder != 0 && (remainder < 0) != (b < 0) {
        return Some((quotient.checked_sub(1)?, remainder + b));
    }
    Some((quotient, remainder))
}

/// `left == right`.
pub(super) fn equal(
    meter: &mut Meter,
    left: &Value,
    right: &Value,
    depth: usize,
) -> Result<bool, Error> {
    meter.work(1)?;
    if depth > MAX_VALUE_DEPTH {
        return Err(limit(format!("{MAX_VALUE_DEPTH} nested values")));
    }
    if let (Some(a), Some(b)) = (left.as_str(), right.as_str()) {
        if a.len() != b.len() {
            return Ok(false);
        }
        meter.work(a.len())?;
        return Ok(a == b);
    }
    if let (Some(a), Some(b)) = (Number::of(left), Number::of(right)) {
        return Ok(match (a, b) {
            (Number::Int(a), Number::Int(b)) => a == b,
            (a, b) => a.as_f64() == b.as_f64(),
        });
    }
    if is_list(left) && is_list(right) {
        if left.is_tuple() != right.is_tuple() || left.len() != right.len() {
            return Ok(false);
        }
        for (a, b) in left.try_iter()?.zip(right.try_iter()?) {
            if !equal(meter, &a, &b, depth + 1)? {
                return Ok(false);
            }
        }
        return Ok(true);
    }
    if left.kind() != right.kind() {
        return Ok(false);
    }
    match (left.as_object(), right.as_object()) {
        (Some(a), Some(b)) if left.kind() == ValueKind::Map => {
            if left.len() != right.len() {
                return Ok(false);
            }
            for (key, value) in a.try_iter_pairs().into_iter().flatten() {
                meter.work(key.as_str().map_or(8, str::len))?;
                let Some(other) = b.get_value(&key) else {
                    return Ok(false);
                };
                if !equal(meter, &value, &other, depth + 1)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        // Macros, loops and the like are equal to nothing but are never compared in practice.
        (Some(_), _) | (_, Some(_)) => Ok(false),
        // None and None, undefined and undefined.
        (None, None) => Ok(true),
    }
}

/// `left <=> right`, or None where a NaN is involved.
///
/// # Errors
/// For types that Python does not order; `symbol` is for the message.
pub(super) fn compare(
    meter: &mut Meter,
    symbol: &str,
    left: &Value,
    right: &Value,
) -> Result<Option<Ordering>, Error> {
    if let (Some(a), Some(b)) = (left.as_str(), right.as_str()) {
        meter.work(a.len().min(b.len()))?;
        // UTF-8 sorts as code points do, which is Python's order.
        return Ok(Some(a.cmp(b)));
    }
    if let (Some(a), Some(b)) = (Number::of(left), Number::of(right)) {
        return Ok(match (a, b) {
            (Number::Int(a), Number::Int(b)) => Some(a.cmp(&b)),
            (a, b) => a.as_f64().partial_cmp(&b.as_f64()),
        });
    }
    if is_list(left) && is_list(right) {
        for (a, b) in left.try_iter()?.zip(right.try_iter()?) {
            if !equal(meter, &a, &b, 0)? {
                // Not recursive over depth: `equal` has just bounded it.
                return compare(meter, symbol, &a, &b);
            }
        }
        return Ok(Some(left.len().cmp(&right.len())));
    }
    Err(operation(format!(
        "'{symbol}' not supported between instances of '{}' and '{}'",
        type_name(left),
        type_name(right)
    )))
}

/// `needle in haystack`.
pub(super) fn contains(meter: &mut Meter, haystack: &Value, needle: &Value) -> Result<bool, Error> {
    match haystack.kind() {
        ValueKind::Undefined => Ok(false),
        ValueKind::String => {
            let text = haystack.as_str().unwrap_or_default();
            let Some(part) = needle.as_str() else {
                return Err(operation(format!(
                    "'in <string>' requires string as left operand, not {}",
                    type_name(needle)
                )));
            };
            meter.work(text.len() + part.len())?;
            Ok(text.contains(part))
        }
        ValueKind::Map => {
            meter.work(needle.as_str().map_or(8, str::len))?;
            super::value::check_depth(meter, needle)?;
            Ok(haystack
                .as_object()
                .is_some_and(|object| object.get_value(needle).is_some()))
        }
        ValueKind::Seq | ValueKind::Iterable => {
            for item in haystack.try_iter()? {
                if equal(meter, &item, needle, 0)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        _ => Err(operation(format!(
            "argument of type '{}' is not iterable",
            type_name(haystack)
        ))),
    }
}

/// A chain such as `a < b <= c`: the first operand, then operator and operand in turn.
pub(super) fn chain(state: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let (values, _) = args.into_parts();
    let mut left = values
        .first()
        .ok_or_else(|| operation("an operand is missing"))?;
    for link in values[1..].chunks_exact(2) {
        let (symbol, right) = (link[0].as_str().unwrap_or_default(), &link[1]);
        let (symbol, negate) = match symbol {
            "not in" => ("in", true),
            "<" => ("<", false),
            "<=" => ("<=", false),
            ">" => (">", false),
            ">=" => (">=", false),
            "==" => ("==", false),
            "!=" => ("!=", false),
            _ => ("in", false),
        };
        let args = Args::from_values([left.clone(), right.clone()]);
        if binary(symbol, state, args)?.is_true() == negate {
            return Ok(Value::from(false));
        }
        left = right;
    }
    Ok(Value::from(true))
}

/// `value[key]`; undefined if there is none. Arguments: value, key, spelling of the value.
pub(super) fn item(state: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let args = args.names(&["value", "key", "name"])?;
    let (value, key) = (args.any(0)?, args.any(1)?);
    let meter = meter(state);
    if value.is_undefined() {
        return Err(undefined(args.text(2)?.unwrap_or("the value is undefined")));
    }
    let index = match Number::of(key) {
        Some(Number::Int(index)) => i64::try_from(index).ok(),
        _ => None,
    };
    let found = match (value.kind(), index) {
        (ValueKind::String, Some(index)) => {
            let text = value.as_str().unwrap_or_default();
            meter.work(text.len())?;
            let from_end = usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX);
            if index >= 0 {
                text.chars().nth(from_end).map(Value::from)
            } else {
                text.chars().rev().nth(from_end - 1).map(Value::from)
            }
        }
        (ValueKind::Seq | ValueKind::Iterable, Some(index)) => {
            let len = i64::try_from(value.len().unwrap_or(0)).unwrap_or(i64::MAX);
            let index = if index < 0 {
                index.saturating_add(len)
            } else {
                index
            };
            usize::try_from(index)
                .ok()
                .and_then(|index| value.get_item_by_index(index).ok())
        }
        (ValueKind::Seq | ValueKind::Iterable | ValueKind::String, None) => None,
        _ => {
            meter.work(key.as_str().map_or(8, str::len))?;
            super::value::check_depth(meter, key)?;
            value.get_item(key).ok()
        }
    };
    Ok(found.unwrap_or(Value::UNDEFINED))
}

/// `value.name`; undefined if there is none. Arguments: value, name, spelling of the value.
pub(super) fn field(_: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let args = args.names(&["value", "name", "spelling"])?;
    let value = args.any(0)?;
    if value.is_undefined() {
        return Err(undefined(args.text(2)?.unwrap_or("the value is undefined")));
    }
    let name = args.text(1)?.unwrap_or_default();
    Ok(value.get_attr(name).unwrap_or(Value::UNDEFINED))
}

/// `value[start:stop:step]`. Arguments: value, start, stop, step, spelling of the value.
pub(super) fn slice(state: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let args = args.names(&["value", "start", "stop", "step", "name"])?;
    let value = args.any(0)?;
    let meter = meter(state);
    if value.is_undefined() {
        return Err(undefined(args.text(4)?.unwrap_or("the value is undefined")));
    }
    if value.kind() != ValueKind::String && !is_list(value) {
        return Err(operation(format!(
            "'{}' object cannot be sliced",
            type_name(value)
        )));
    }
    let all = items(meter, value)?;
    let chosen = slice_indices(all.len(), args.int(1)?, args.int(2)?, args.int(3)?)?;
    let picked: Vec<Value> = chosen.map(|at| all[at].clone()).collect();
    if value.kind() == ValueKind::String {
        let text: String = picked.iter().filter_map(Value::as_str).collect();
        return Ok(Value::from(text));
    }
    Ok(if value.is_tuple() {
        Value::from(Tuple::from(picked))
    } else {
        Value::from(picked)
    })
}

/// The indices that Python's `range(*slice(start, stop, step).indices(len))` yields.
fn slice_indices(
    len: usize,
    start: Option<i64>,
    stop: Option<i64>,
    step: Option<i64>,
) -> Result<impl Iterator<Item = usize>, Error> {
    let step = i128::from(step.unwrap_or(1));
    if step == 0 {
        return Err(operation("slice step cannot be zero"));
    }
    let len = len as i128;
    let (low, high) = if step > 0 { (0, len) } else { (-1, len - 1) };
    let clamp = |at: Option<i64>, default: i128| match at {
        None => default,
        Some(at) if at < 0 => (i128::from(at) + len).max(low),
        Some(at) => i128::from(at).min(high),
    };
    let (start, stop) = if step > 0 {
        (clamp(start, low), clamp(stop, high))
    } else {
        (clamp(start, high), clamp(stop, low))
    };
    let distance = if step > 0 { stop - start } else { start - stop };
    let count = if distance <= 0 {
        0
    } else {
        (distance - 1) / step.abs() + 1
    };
    Ok((0..count).map(move |i| (start + i * step) as usize))
}
