//! Filters over lists and dictionaries.

use minijinja::value::{Tuple, ValueKind};
use minijinja::{Environment, Error, State, Value};

use super::{fold, lookup, order};
use crate::template::args::Args;
use crate::template::compare::equal;
use crate::template::error::operation;
use crate::template::limits::meter;
use crate::template::methods::join as join_text;
use crate::template::ops;
use crate::template::print::to_text;
use crate::template::value::{items, pair, pairs, type_name};
use crate::template::{Builtin, add_filter};

pub(super) fn register(env: &mut Environment<'static>) {
    for (name, filter) in [
        ("first", first as Builtin),
        ("last", last),
        ("length", length),
        ("count", length),
        ("list", list),
        ("items", dict_items),
        ("dictsort", dictsort),
        ("join", join),
        ("reverse", reverse),
        ("sort", sort),
        ("unique", unique),
        ("groupby", groupby),
        ("min", |state, args| {
            extreme(state, args, std::cmp::Ordering::Less)
        }),
        ("max", |state, args| {
            extreme(state, args, std::cmp::Ordering::Greater)
        }),
        ("sum", sum),
        ("batch", batch),
        ("slice", slice),
        ("map", map),
        ("select", |state, args| select(state, args, false, true)),
        ("reject", |state, args| select(state, args, false, false)),
        ("selectattr", |state, args| select(state, args, true, true)),
        ("rejectattr", |state, args| select(state, args, true, false)),
    ] {
        add_filter(env, name, filter);
    }
}

fn first(state: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let args = args.names(&["value"])?;
    let value = args.first()?;
    if let Some(text) = value.as_str() {
        return Ok(text.chars().next().map_or(Value::UNDEFINED, Value::from));
    }
    Ok(items(meter(state), value)?
        .into_iter()
        .next()
        .unwrap_or(Value::UNDEFINED))
}

fn last(state: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let args = args.names(&["value"])?;
    Ok(items(meter(state), args.first()?)?
        .pop()
        .unwrap_or(Value::UNDEFINED))
}

fn length(state: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let args = args.names(&["value"])?;
    let value = args.first()?;
    match value.kind() {
        ValueKind::Undefined => Ok(Value::from(0)),
        ValueKind::String => {
            let text = value.as_str().unwrap_or_default();
            meter(state).work(text.len())?;
            Ok(Value::from(text.chars().count()))
        }
        ValueKind::Seq | ValueKind::Iterable | ValueKind::Map => {
            Ok(Value::from(value.len().unwrap_or(0)))
        }
        _ => Err(operation(format!(
            "object of type '{}' has no len()",
            type_name(value)
        ))),
    }
}

fn list(state: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let args = args.names(&["value"])?;
    Ok(Value::from(items(meter(state), args.first()?)?))
}

fn dict_items(state: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let args = args.names(&["value"])?;
    let value = args.first()?;
    if !matches!(value.kind(), ValueKind::Map | ValueKind::Undefined) {
        return Err(operation("Can only get item pairs from a mapping."));
    }
    Ok(pairs(meter(state), value)?
        .into_iter()
        .map(|(k, v)| pair(k, v))
        .collect())
}

fn dictsort(state: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let args = args.names(&["value", "case_sensitive", "by", "reverse"])?;
    let by_value = match args.text(2)?.unwrap_or("key") {
        "key" => false,
        "value" => true,
        _ => return Err(operation("you can only sort by either `key` or `value`")),
    };
    let mut keyed = Vec::new();
    for (key, value) in pairs(meter(state), args.first()?)? {
        let by = if by_value { value.clone() } else { key.clone() };
        keyed.push((fold(state, by, args.flag(1, false))?, pair(key, value)));
    }
    Ok(sorted(state, keyed, args.flag(3, false))?
        .into_iter()
        .collect())
}

fn join(state: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let args = args.names(&["value", "d", "attribute"])?;
    let meter = meter(state);
    let mut parts = items(meter, args.first()?)?;
    if let Some(path) = args.get(2) {
        parts = parts.iter().map(|part| lookup(part, path)).collect();
    }
    let separator = args
        .get(1)
        .map(|d| to_text(meter, d))
        .transpose()?
        .unwrap_or_default();
    join_text(meter, &separator, &parts, to_text)
}

fn reverse(state: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let args = args.names(&["value"])?;
    let value = args.first()?;
    if let Some(text) = value.as_str() {
        meter(state).make(text.len())?;
        return Ok(Value::from(text.chars().rev().collect::<String>()));
    }
    let mut all = items(meter(state), value)?;
    all.reverse();
    Ok(Value::from(all))
}

fn sort(state: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let args = args.names(&["value", "reverse", "case_sensitive", "attribute"])?;
    let all = items(meter(state), args.first()?)?;
    let keyed = with_keys(state, all, args.get(3), args.flag(2, false))?;
    Ok(Value::from(sorted(state, keyed, args.flag(1, false))?))
}

fn unique(state: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let args = args.names(&["value", "case_sensitive", "attribute"])?;
    let all = items(meter(state), args.first()?)?;
    let mut kept: Vec<(Value, Value)> = Vec::new();
    for (key, item) in with_keys(state, all, args.get(2), args.flag(1, false))? {
        let mut seen = false;
        for (other, _) in &kept {
            seen = seen || equal(meter(state), &key, other, 0)?;
        }
        if !seen {
            kept.push((key, item));
        }
    }
    Ok(kept.into_iter().map(|(_, item)| item).collect())
}

fn groupby(state: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let args = args.names(&["value", "attribute", "default", "case_sensitive"])?;
    let mut keyed = Vec::new();
    for item in items(meter(state), args.first()?)? {
        let found = lookup(&item, args.any(1)?);
        let key = if found.is_undefined() {
            args.get(2).cloned().unwrap_or(found)
        } else {
            found
        };
        keyed.push((
            fold(state, key.clone(), args.flag(3, false))?,
            pair(key, item),
        ));
    }
    let mut groups: Vec<(Value, Vec<Value>)> = Vec::new();
    for entry in sorted(state, keyed, false)? {
        let (key, item) = (entry.get_item_by_index(0)?, entry.get_item_by_index(1)?);
        let folded = fold(state, key.clone(), args.flag(3, false))?;
        match groups.last_mut() {
            Some((last, members)) => {
                let last = fold(state, last.clone(), args.flag(3, false))?;
                if equal(meter(state), &last, &folded, 0)? {
                    members.push(item);
                } else {
                    groups.push((key, vec![item]));
                }
            }
            None => groups.push((key, vec![item])),
        }
    }
    Ok(groups
        .into_iter()
        .map(|(key, members)| pair(key, Value::from(members)))
        .collect())
}

fn extreme(
    state: &mut State<'_, '_>,
    args: Args,
    wanted: std::cmp::Ordering,
) -> Result<Value, Error> {
    let args = args.names(&["value", "case_sensitive", "attribute"])?;
    let all = items(meter(state), args.first()?)?;
    let mut keyed = with_keys(state, all, args.get(2), args.flag(1, false))?.into_iter();
    let Some((mut best_key, mut best)) = keyed.next() else {
        return Ok(Value::UNDEFINED);
    };
    for (key, item) in keyed {
        if order(state, &key, &best_key)? == wanted {
            (best_key, best) = (key, item);
        }
    }
    Ok(best)
}

fn sum(state: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let args = args.names(&["value", "attribute", "start"])?;
    let mut total = args.get(2).cloned().unwrap_or_else(|| Value::from(0));
    for item in items(meter(state), args.first()?)? {
        let item = args.get(1).map_or(item.clone(), |path| lookup(&item, path));
        total = ops::binary("+", state, Args::from_values([total, item]))?;
    }
    Ok(total)
}

/// Lists of `linecount` items each.
fn batch(state: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let args = args.names(&["value", "linecount", "fill_with"])?;
    let size = usize::try_from(args.int(1)?.unwrap_or(0))
        .ok()
        .filter(|&size| size > 0);
    let size = size.ok_or_else(|| operation("batch takes a positive count"))?;
    let all = items(meter(state), args.first()?)?;
    meter(state).make_list(all.len())?;
    let mut lines: Vec<Vec<Value>> = all.chunks(size).map(<[Value]>::to_vec).collect();
    if let (Some(fill), Some(line)) = (args.get(2), lines.last_mut()) {
        meter(state).make_list(size)?;
        line.resize(size, fill.clone());
    }
    Ok(lines.into_iter().map(Value::from).collect())
}

/// `slices` lists of nearly the same length.
fn slice(state: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let args = args.names(&["value", "slices", "fill_with"])?;
    let slices = usize::try_from(args.int(1)?.unwrap_or(0))
        .ok()
        .filter(|&slices| slices > 0);
    let slices = slices.ok_or_else(|| operation("slice takes a positive count"))?;
    let all = items(meter(state), args.first()?)?;
    meter(state).make_list(slices.saturating_add(all.len()).saturating_mul(2))?;
    let (each, extra) = (all.len() / slices, all.len() % slices);
    let mut rest = &all[..];
    let mut columns = Vec::new();
    for i in 0..slices {
        let (column, after) = rest.split_at(each + usize::from(i < extra));
        rest = after;
        let mut column = column.to_vec();
        if let Some(fill) = args.get(2).filter(|_| i >= extra) {
            column.push(fill.clone());
        }
        columns.push(Value::from(column));
    }
    Ok(Value::from(columns))
}

/// Items of a value that is true. `map` and the `select` family do not even look at others, so
/// that None, say, has no items for them.
fn items_if_true(state: &mut State<'_, '_>, value: &Value) -> Result<Vec<Value>, Error> {
    if !value.is_true() {
        return Ok(Vec::new());
    }
    items(meter(state), value)
}

/// `map(attribute="a", default=d)` or `map("filter", arguments…)`.
fn map(state: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let (mut positional, named) = args.into_parts();
    if positional.is_empty() {
        return Err(operation("map takes a value"));
    }
    let all = items_if_true(state, &positional.remove(0))?;
    let option = |name: &str| {
        named
            .iter()
            .find(|(key, _)| key.as_str() == Some(name))
            .map(|(_, value)| value.clone())
    };
    if let (true, Some(path)) = (positional.is_empty(), option("attribute")) {
        let default = option("default").unwrap_or(Value::UNDEFINED);
        let found = all.iter().map(|item| lookup(item, &path));
        return Ok(found
            .map(|v| if v.is_undefined() { default.clone() } else { v })
            .collect());
    }
    let Some(filter) = positional
        .first()
        .and_then(Value::as_str)
        .map(str::to_owned)
    else {
        return Err(operation("map requires a filter argument"));
    };
    let mut results = Vec::with_capacity(all.len());
    for item in all {
        meter(state).work(64)?;
        positional[0] = item;
        let mut call = positional.clone();
        if !named.is_empty() {
            let named = named
                .iter()
                .filter_map(|(k, v)| Some((k.as_str()?, v.clone())));
            call.push(Value::from(minijinja::value::Kwargs::from_iter(named)));
        }
        results.push(state.apply_filter(&filter, &call)?);
    }
    Ok(Value::from(results))
}

/// `select("test", arguments…)` and its three relatives.
fn select(
    state: &mut State<'_, '_>,
    args: Args,
    by_attribute: bool,
    keep: bool,
) -> Result<Value, Error> {
    let (values, _) = args.into_parts();
    let mut values = values.into_iter();
    let value = values
        .next()
        .ok_or_else(|| operation("a value is missing"))?;
    let path = if by_attribute {
        Some(
            values
                .next()
                .ok_or_else(|| operation("missing parameter for attribute name"))?,
        )
    } else {
        None
    };
    let test = values.next();
    let mut call = vec![Value::UNDEFINED];
    call.extend(values);
    let mut kept = Vec::new();
    for item in items_if_true(state, &value)? {
        meter(state).work(64)?;
        let subject = path
            .as_ref()
            .map_or_else(|| item.clone(), |path| lookup(&item, path));
        let holds = match test.as_ref().map(|test| test.as_str()) {
            None => subject.is_true(),
            Some(Some(name)) => {
                call[0] = subject;
                state.perform_test(name, &call)?
            }
            Some(None) => return Err(operation("the name of a test must be a string")),
        };
        if holds == keep {
            kept.push(item);
        }
    }
    Ok(Value::from(kept))
}

/// Pairs each item with what it is compared by.
fn with_keys(
    state: &mut State<'_, '_>,
    all: Vec<Value>,
    path: Option<&Value>,
    case_sensitive: bool,
) -> Result<Vec<(Value, Value)>, Error> {
    let mut keyed = Vec::with_capacity(all.len());
    for item in all {
        let key = match path.and_then(Value::as_str) {
            // Several attributes between commas are compared one after the other.
            Some(paths) if paths.contains(',') => {
                let mut parts = Vec::new();
                for path in paths.split(',') {
                    let part = lookup(&item, &Value::from(path));
                    parts.push(fold(state, part, case_sensitive)?);
                }
                Value::from(Tuple::from(parts))
            }
            _ => {
                let part = path.map_or_else(|| item.clone(), |path| lookup(&item, path));
                fold(state, part, case_sensitive)?
            }
        };
        keyed.push((key, item));
    }
    Ok(keyed)
}

/// Stable merge sort. The standard library's sort may panic when a comparison fails halfway.
fn sorted(
    state: &mut State<'_, '_>,
    mut keyed: Vec<(Value, Value)>,
    reverse: bool,
) -> Result<Vec<Value>, Error> {
    let mut width = 1;
    while width < keyed.len() {
        meter(state).work(keyed.len())?;
        let mut merged = Vec::with_capacity(keyed.len());
        for run in keyed.chunks(width * 2) {
            let (mut left, mut right) = run.split_at(width.min(run.len()));
            while let ([a, ..], [b, ..]) = (left, right) {
                let ordering = order(state, &b.0, &a.0)?;
                // The left one stays first among equals, in both directions, as in Python.
                if if reverse {
                    ordering.is_gt()
                } else {
                    ordering.is_lt()
                } {
                    merged.push(b.clone());
                    right = &right[1..];
                } else {
                    merged.push(a.clone());
                    left = &left[1..];
                }
            }
            merged.extend_from_slice(left);
            merged.extend_from_slice(right);
        }
        keyed = merged;
        width *= 2;
    }
    Ok(keyed.into_iter().map(|(_, item)| item).collect())
}
