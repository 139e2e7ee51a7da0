//! Template values: how JSON becomes one, and what Python would call its type.

use minijinja::value::{Tuple, ValueKind};
use minijinja::{Error, Value};

use super::error::{limit, operation};
use super::limits::{MAX_VALUE_DEPTH, Meter};

/// A number as Python's arithmetic sees it; booleans are integers there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    Int(i128),
    Float(f64),
}

impl Number {
    pub(super) fn of(value: &Value) -> Option<Self> {
        match value.kind() {
            ValueKind::Bool => Some(Self::Int(i128::from(value.is_true()))),
            ValueKind::Number if value.is_integer() => {
                i128::try_from(value.clone()).ok().map(Self::Int)
            }
            ValueKind::Number => f64::try_from(value.clone()).ok().map(Self::Float),
            _ => None,
        }
    }

    pub(super) fn as_f64(self) -> f64 {
        match self {
            Self::Int(i) => i as f64,
            Self::Float(f) => f,
        }
    }
}

/// Integer as a value, in the engine's usual width where it fits.
pub(super) fn int(value: i128) -> Value {
    i64::try_from(value).map_or_else(|_| Value::from(value), Value::from)
}

/// Converts parsed JSON, keeping the order of keys. Deeper than
/// [`MAX_VALUE_DEPTH`] / 2 is refused: the rest of the depth is the template's.
pub(super) fn from_json(json: &serde_json::Value, depth: usize) -> Result<Value, Error> {
    use serde_json::Value as Json;
    if depth > MAX_VALUE_DEPTH / 2 {
        return Err(limit(format!(
            "{} nested values in the input",
            MAX_VALUE_DEPTH / 2
        )));
    }
    Ok(match json {
        Json::Null => Value::from(()),
        Json::Bool(flag) => Value::from(*flag),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(int), _) => Value::from(int),
            (None, Some(int)) => Value::from(int),
            (None, None) => Value::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => {
            let items: Result<Vec<Value>, Error> = items
                .iter()
                .map(|item| from_json(item, depth + 1))
                .collect();
            Value::from(items?)
        }
        Json::Object(entries) => {
            let mut pairs = Vec::with_capacity(entries.len());
            for (key, value) in entries {
                pairs.push((Value::from(key.as_str()), from_json(value, depth + 1)?));
            }
            Value::from_pairs(pairs)
        }
    })
}

/// Name of the value's Python type.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value.kind() {
        ValueKind::Undefined => "Undefined",
        ValueKind::None => "NoneType",
        ValueKind::Bool => "bool",
        ValueKind::Number if value.is_integer() => "int",
        ValueKind::Number => "float",
        ValueKind::String => "str",
        ValueKind::Bytes => "bytes",
        ValueKind::Seq if value.is_tuple() => "tuple",
        ValueKind::Seq | ValueKind::Iterable => "list",
        ValueKind::Map => "dict",
        _ => "object",
    }
}

/// True for lists and tuples.
pub(super) fn is_list(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable)
}

/// The items that a `for` over `value` would visit; paid for as a new list.
///
/// # Errors
/// If Python could not iterate over it.
pub(super) fn items(meter: &mut Meter, value: &Value) -> Result<Vec<Value>, Error> {
    match value.kind() {
        ValueKind::Undefined => Ok(Vec::new()),
        ValueKind::String => {
            let text = value.as_str().unwrap_or_default();
            meter.make_list(text.len())?;
            Ok(text.chars().map(Value::from).collect())
        }
        ValueKind::Seq | ValueKind::Iterable | ValueKind::Map => {
            meter.make_list(value.len().unwrap_or(0))?;
            Ok(value.try_iter()?.collect())
        }
        _ => Err(operation(format!(
            "'{}' object is not iterable",
            type_name(value)
        ))),
    }
}

/// Keys and values of a mapping in order, or nothing for another kind; paid for as a new list.
pub(super) fn pairs(meter: &mut Meter, value: &Value) -> Result<Vec<(Value, Value)>, Error> {
    meter.make_list(value.len().unwrap_or(0).saturating_mul(2))?;
    let object = value.as_object().filter(|_| value.kind() == ValueKind::Map);
    Ok(object
        .and_then(|object| object.try_iter_pairs())
        .into_iter()
        .flatten()
        .collect())
}

/// A dictionary of these entries.
pub(super) fn dict(meter: &mut Meter, pairs: Vec<(Value, Value)>) -> Result<Value, Error> {
    meter.make_list(pairs.len().saturating_mul(4))?;
    Ok(Value::from_pairs(pairs))
}

/// A two-tuple, as `dict.items()` yields them.
pub(super) fn pair(key: Value, value: Value) -> Value {
    Value::from(Tuple::from([key, value]))
}

/// Counts the nodes of `value` into the meter and refuses what is nested too deeply. Values that a
/// template stores pass here, so that dropping, printing and comparing them cannot overflow the
/// stack.
pub(super) fn check_depth(meter: &mut Meter, value: &Value) -> Result<(), Error> {
    walk(meter, value, 0, false)
}

/// [`check_depth`] for what goes into a namespace. A namespace in there could hold itself.
pub(super) fn check_attribute(meter: &mut Meter, value: &Value) -> Result<(), Error> {
    walk(meter, value, 0, true)
}

fn walk(meter: &mut Meter, value: &Value, depth: usize, no_cycles: bool) -> Result<(), Error> {
    if !matches!(
        value.kind(),
        ValueKind::Map | ValueKind::Seq | ValueKind::Iterable
    ) {
        // A stored key is hashed whole, which is slower than a look.
        return meter.work(
            value
                .as_str()
                .map_or(0, |text| text.len().saturating_mul(8)),
        );
    }
    if depth > MAX_VALUE_DEPTH {
        return Err(limit(format!("{MAX_VALUE_DEPTH} nested values")));
    }
    meter.work(value.len().unwrap_or(0).saturating_mul(64))?;
    let Some(object) = value.as_object() else {
        return Ok(());
    };
    if no_cycles && object.type_name().ends_with("::Namespace") {
        return Err(operation("a namespace cannot be stored in a namespace"));
    }
    if value.kind() == ValueKind::Map {
        for (_, item) in object.try_iter_pairs().into_iter().flatten() {
            walk(meter, &item, depth + 1, no_cycles)?;
        }
    } else {
        for item in object.try_iter().into_iter().flatten() {
            walk(meter, &item, depth + 1, no_cycles)?;
        }
    }
    Ok(())
}
