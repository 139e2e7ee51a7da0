//! Functions that templates may call: Jinja's own and the two that Hugging Face adds.

use minijinja::value::{ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, State, Value};

use super::args::Args;
use super::error::{limit, operation, refused};
use super::limits::meter;
use super::print::to_text;
use super::value::{check_depth, dict, items, pairs};

/// Longest `range`, as in Jinja's sandbox.
const MAX_RANGE: i128 = 100_000;

/// Registers them.
pub(super) fn register(env: &mut Environment<'static>) {
    super::add_function(env, "range", range);
    super::add_function(env, "dict", make_dict);
    super::add_function(env, "raise_exception", raise_exception);
    super::add_function(env, "strftime_now", strftime_now);
    // The engine knows its own namespace objects only, so this one is the engine's.
    env.add_function("namespace", |defaults: Option<ValueOrKwargs>| {
        minijinja::functions::namespace(defaults)
    });
}

/// `range(stop)`, `range(start, stop, step)`: a list, since it is paid for anyway.
fn range(state: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let args = args.names(&["start", "stop", "step"])?;
    let first = args
        .int(0)?
        .ok_or_else(|| operation("range takes integers"))?;
    let (start, stop) = args.int(1)?.map_or((0, first), |stop| (first, stop));
    let step = i128::from(args.int(2)?.unwrap_or(1));
    if step == 0 {
        return Err(operation("range() arg 3 must not be zero"));
    }
    let (start, stop) = (i128::from(start), i128::from(stop));
    let distance = if step > 0 { stop - start } else { start - stop };
    let count = if distance <= 0 {
        0
    } else {
        (distance - 1) / step.abs() + 1
    };
    if count > MAX_RANGE {
        return Err(limit(format!("{MAX_RANGE} items of `range`")));
    }
    meter(state).make_list(usize::try_from(count).unwrap_or(usize::MAX))?;
    Ok((0..count)
        .map(|i| super::value::int(start + i * step))
        .collect())
}

fn make_dict(state: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let (positional, named) = args.into_parts();
    let meter = meter(state);
    let mut all = Vec::new();
    for value in &positional {
        if value.kind() == ValueKind::Map {
            all.append(&mut pairs(meter, value)?);
            continue;
        }
        for entry in items(meter, value)? {
            match &items(meter, &entry)?[..] {
                [key, value] => all.push((key.clone(), value.clone())),
                _ => return Err(operation("dict takes a mapping or a list of pairs")),
            }
        }
    }
    all.extend(named);
    // Keys are hashed whole.
    for (key, _) in &all {
        check_depth(meter, key)?;
    }
    dict(meter, all)
}

fn raise_exception(state: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let args = args.names(&["message"])?;
    Err(refused(to_text(meter(state), args.first()?)?))
}

fn strftime_now(state: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let args = args.names(&["format"])?;
    let format = args
        .text(0)?
        .ok_or_else(|| operation("strftime_now takes a format"))?;
    let meter = meter(state);
    // No code writes more than 25 characters.
    meter.make(format.len().saturating_mul(25))?;
    Ok(Value::from(meter.now.format(format)))
}
