//! Numbers in schemas: only those that are exact in f64, because that is what they are enforced as.

use serde_json::{Map, Value};

use super::{expected, refused};
use crate::grammar::GrammarError;

/// 2^53 - 1: whole numbers up to it are exact.
const LARGEST: f64 = 9_007_199_254_740_991.0;
/// Digits behind the point.
const MAX_DIGITS: u32 = 9;

/// Formats of numbers, and the least and the largest of each: those of the OpenAPI registry and of Rust's types. What is
/// wider than f64 is exact in is cut to that.
const FORMATS: [(&str, f64, f64); 12] = [
    ("int8", i8::MIN as f64, i8::MAX as f64),
    ("uint8", 0.0, u8::MAX as f64),
    ("int16", i16::MIN as f64, i16::MAX as f64),
    ("uint16", 0.0, u16::MAX as f64),
    ("int32", i32::MIN as f64, i32::MAX as f64),
    ("uint32", 0.0, u32::MAX as f64),
    ("int64", -LARGEST, LARGEST),
    ("uint64", 0.0, LARGEST),
    ("int", -LARGEST, LARGEST),
    ("uint", 0.0, LARGEST),
    ("float", f64::NEG_INFINITY, f64::INFINITY),
    ("double", f64::NEG_INFINITY, f64::INFINITY),
];

fn find_format(value: &Value) -> Option<(f64, f64)> {
    let name = value.as_str()?;
    let found = FORMATS.iter().find(|(format, ..)| *format == name);
    found.map(|&(_, least, largest)| (least, largest))
}

/// Whether a `format` is one of numbers.
pub(super) fn is_format(value: &Value) -> bool {
    find_format(value).is_some()
}

/// Adds the bounds that a format of numbers means, where the schema has none of its own.
///
/// # Errors
/// If the schema's own are looser, or its values are no numbers.
pub(super) fn format(
    value: &Value,
    members: &Map<String, Value>,
    at: &str,
    out: &mut Map<String, Value>,
) -> Result<(), GrammarError> {
    let is_number = |name: &Value| matches!(name.as_str(), Some("integer" | "number" | "null"));
    let fits = match members.get("type") {
        Some(Value::Array(types)) => types.iter().all(is_number),
        Some(name) => is_number(name),
        None => false,
    };
    if !fits {
        return Err(refused(at, "a format of numbers, where `type` is none"));
    }
    let Some((least, largest)) = find_format(value) else {
        return Ok(());
    };
    let own = |names: [&str; 2]| names.iter().find_map(|&name| members.get(name)?.as_f64());
    for (name, bound, own, is_looser) in [
        (
            "minimum",
            least,
            own(["minimum", "exclusiveMinimum"]),
            f64::lt as fn(&f64, &f64) -> bool,
        ),
        (
            "maximum",
            largest,
            own(["maximum", "exclusiveMaximum"]),
            f64::gt,
        ),
    ] {
        match own {
            Some(own) if is_looser(&own, &bound) && own.abs() <= LARGEST => {
                return Err(refused(
                    at,
                    &format!("`{name}` {own} is beyond the format's {bound}"),
                ));
            }
            Some(_) => {}
            None if bound.is_finite() => {
                out.insert(name.to_owned(), Value::from(bound as i64));
            }
            None => {}
        }
    }
    Ok(())
}

/// A bound of a range.
pub(super) fn bound(value: &Value, at: &str) -> Result<Value, GrammarError> {
    let number = value
        .as_f64()
        .ok_or_else(|| expected(at, "a number", value))?;
    check(number, at)?;
    Ok(value.clone())
}

/// Checks all numbers inside of a value that is to be written as it is.
pub(super) fn check_all(value: &Value, at: &str) -> Result<(), GrammarError> {
    match value {
        Value::Number(number) => check(number.as_f64().unwrap_or(f64::INFINITY), at),
        Value::Array(items) => items.iter().try_for_each(|item| check_all(item, at)),
        Value::Object(members) => members.values().try_for_each(|item| check_all(item, at)),
        Value::Null | Value::Bool(_) | Value::String(_) => Ok(()),
    }
}

fn check(number: f64, at: &str) -> Result<(), GrammarError> {
    let is_small = number != 0.0 && number.abs() < 0.1_f64.powi(MAX_DIGITS as i32);
    if number.abs() > LARGEST || is_small {
        return Err(refused(
            at,
            &format!(
                "expected 0 or a number from 1e-{MAX_DIGITS} to 2^53 - 1, either sign, found `{number}`"
            ),
        ));
    }
    Ok(())
}

/// All `multipleOf` of a schema. Where schemas are combined their least common multiple is taken, in 32 bits.
#[derive(Default)]
pub(super) struct Multiples {
    /// Whole numbers with digits behind the point, and where the last one was.
    found: Vec<(u64, u32)>,
    at: String,
}

impl Multiples {
    pub(super) fn add(&mut self, value: &Value, at: &str) -> Result<Value, GrammarError> {
        let wrong = || expected(at, "a number above 0, of at most 9 digits", value);
        let number = value
            .as_f64()
            .filter(|&number| number > 0.0)
            .ok_or_else(wrong)?;
        let mut scaled = number;
        let mut digits = 0;
        while scaled.fract() != 0.0 {
            scaled *= 10.0;
            digits += 1;
        }
        if scaled > 1e9 || digits > MAX_DIGITS {
            return Err(wrong());
        }
        let entry = (scaled as u64, digits);
        if !self.found.contains(&entry) {
            self.found.push(entry);
            at.clone_into(&mut self.at);
        }
        Ok(value.clone())
    }

    /// Refuses what could overflow.
    pub(super) fn check(&self) -> Result<(), GrammarError> {
        let most = self
            .found
            .iter()
            .map(|&(_, digits)| digits)
            .max()
            .unwrap_or(0);
        let product = self
            .found
            .iter()
            .try_fold(1_u64, |product, &(number, digits)| {
                let number = number.checked_mul(10_u64.pow(most - digits))?;
                product
                    .checked_mul(number)
                    .filter(|&p| p <= u64::from(u32::MAX))
            });
        if product.is_none() {
            return Err(refused(
                &self.at,
                "too many different values of `multipleOf`",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod format_tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn formats_of_numbers_are_bounds() {
        let read = |schema: Value| {
            let members = schema.as_object().expect("an object");
            let mut out = Map::new();
            format(&members["format"], members, "#/format", &mut out).map(|()| Value::Object(out))
        };
        let byte = json!({ "type": "integer", "format": "uint8", "minimum": 0, "maximum": 255 });
        assert_eq!(read(byte), Ok(json!({})));
        let word = json!({ "type": ["integer", "null"], "format": "int32", "minimum": 1 });
        assert_eq!(read(word), Ok(json!({ "maximum": i32::MAX })));
        assert_eq!(
            read(json!({ "type": "number", "format": "double" })),
            Ok(json!({}))
        );
        assert!(read(json!({ "type": "integer", "format": "int8", "maximum": 300 })).is_err());
        assert!(read(json!({ "type": "string", "format": "int8" })).is_err());
        assert!(read(json!({ "format": "int8" })).is_err());
    }
}
