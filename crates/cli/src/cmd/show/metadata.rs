//! GGUF metadata as JSON: every key, long arrays shortened.

use std::borrow::Cow;

use formats::gguf::Scalar;
use formats::{Array, Metadata, Value as GgufValue};
use serde_json::{Map, Value, json};

/// Elements of an array that are shown.
const SHOWN: usize = 6;

/// All keys in file order.
pub(super) fn to_json(metadata: &Metadata) -> Value {
    let pairs = metadata
        .iter()
        .map(|(key, value)| (key.to_owned(), value_to_json(value)));
    Value::Object(Map::from_iter(pairs))
}

fn value_to_json(value: &GgufValue) -> Value {
    match value {
        GgufValue::String(text) => Value::String(text.to_str_lossy().into_owned()),
        GgufValue::Array(array) => array_to_json(array),
        number => number.scalar().map_or(Value::Null, scalar_to_json),
    }
}

/// A short array as it is, a long one as its type, its length and its beginning.
fn array_to_json(array: &Array) -> Value {
    let first: Vec<Value> = match array {
        Array::String(strings) => strings
            .iter_lossy()
            .take(SHOWN)
            .map(Cow::into_owned)
            .map(Value::String)
            .collect(),
        numbers => numbers
            .scalars()
            .into_iter()
            .flatten()
            .take(SHOWN)
            .map(scalar_to_json)
            .collect(),
    };
    match array.len() > SHOWN {
        true => json!({"array_of": array.elem_type().name(), "len": array.len(), "first": first}),
        false => Value::Array(first),
    }
}

/// What JSON has no number for becomes text.
fn scalar_to_json(scalar: Scalar) -> Value {
    match scalar {
        Scalar::Bool(x) => Value::Bool(x),
        Scalar::Int(x) => match (i64::try_from(x), u64::try_from(x)) {
            (Ok(x), _) => x.into(),
            (_, Ok(x)) => x.into(),
            _ => Value::String(x.to_string()),
        },
        Scalar::Float(x) => {
            // An f32 shall read as it was written: 1e-5 and not 9.999999747378752e-6.
            let short = (x as f32).to_string().parse().unwrap_or(x);
            let x = if f64::from(x as f32) == x { short } else { x };
            serde_json::Number::from_f64(x)
                .map_or_else(|| Value::String(x.to_string()), Value::Number)
        }
    }
}
