//! Equality, order and membership as Python has them, paid for.

use std::cmp::Ordering;

use minijinja::value::ValueKind;
use minijinja::{Error, State, Value};

use super::args::Args;
use super::error::{limit, operation};
use super::limits::{MAX_VALUE_DEPTH, Meter};
use super::ops::binary;
use super::value::{Number, check_depth, is_list, type_name};

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
            check_depth(meter, needle)?;
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
