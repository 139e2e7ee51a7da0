//! Lookups: `value[key]`, `value.name` and slices.

use minijinja::value::{Tuple, ValueKind};
use minijinja::{Error, State, Value};

use super::args::Args;
use super::error::{operation, undefined};
use super::limits::meter;
use super::value::{Number, check_depth, is_list, items, type_name};

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
            check_depth(meter, key)?;
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
