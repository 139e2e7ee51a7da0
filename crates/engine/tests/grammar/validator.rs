//! A small validator of JSON schemas, of the keywords that grammars enforce. It shares nothing with them, and is
//! itself compared with Python's jsonschema (`golden/schemas`).

use regex_automata::meta::Regex;
use serde_json::Value;

/// Whether `value` is what `schema`, a part of `root`, describes.
pub(crate) fn is_valid(root: &Value, schema: &Value, value: &Value) -> bool {
    let Value::Object(members) = schema else {
        return schema.as_bool().expect("a schema");
    };
    let check = |schema: &Value, value: &Value| is_valid(root, schema, value);
    members
        .iter()
        .all(|(keyword, want)| match keyword.as_str() {
            "$ref" => {
                let pointer = want.as_str().and_then(|target| target.strip_prefix('#'));
                let target = root
                    .pointer(pointer.expect("a local reference"))
                    .expect("it is there");
                check(target, value)
            }
            "type" => match want {
                Value::Array(types) => types.iter().any(|kind| is_type(kind, value)),
                kind => is_type(kind, value),
            },
            "const" => same(want, value),
            "enum" => list(want).iter().any(|one| same(one, value)),
            "anyOf" => list(want).iter().any(|one| check(one, value)),
            "allOf" => list(want).iter().all(|one| check(one, value)),
            "oneOf" => list(want).iter().filter(|one| check(one, value)).count() == 1,
            "$defs" | "$schema" | "title" | "description" | "default" => true,
            _ => match value {
                Value::String(text) => string(keyword, want, text),
                Value::Number(number) => number
                    .as_f64()
                    .is_some_and(|number| in_range(keyword, want, number)),
                Value::Array(items) => array(members, keyword, want, items, &check),
                Value::Object(found) => object(members, keyword, want, found, &check),
                Value::Null | Value::Bool(_) => true,
            },
        })
}

type Members = serde_json::Map<String, Value>;

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn is_type(kind: &Value, value: &Value) -> bool {
    match kind.as_str().expect("a name") {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("type {other}"),
    }
}

/// Equality in which 1 is 1.0.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(k, a)| b.get(k).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

fn string(keyword: &str, want: &Value, text: &str) -> bool {
    let length = text.chars().count() as u64;
    match keyword {
        "minLength" => length >= want.as_u64().expect("a number"),
        "maxLength" => length <= want.as_u64().expect("a number"),
        "pattern" => matches(want.as_str().expect("a regex"), text),
        "format" => has_format(want.as_str().expect("a name"), text),
        _ => true,
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    // `\d` means ASCII digits in JSON schemas.
    Regex::new(&pattern.replace(r"\d", "[0-9]"))
        .expect("a regex")
        .is_match(text)
}

fn has_format(name: &str, text: &str) -> bool {
    let time = r"([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?([zZ]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])";
    match name {
        "date" => is_date(text),
        "time" => matches(&format!("^{time}$"), text),
        "date-time" => {
            text.is_char_boundary(10.min(text.len())) && text.len() > 11 && {
                is_date(&text[..10]) && matches(&format!("^[tT]{time}$"), &text[10..])
            }
        }
        "uuid" => matches("^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", text),
        "ipv4" => {
            let parts: Vec<&str> = text.split('.').collect();
            let is_byte =
                |part: &&str| matches("^(0|[1-9][0-9]{0,2})$", part) && part.parse::<u8>().is_ok();
            parts.len() == 4 && parts.iter().all(is_byte)
        }
        "email" => matches(r"^[^@\s]+@[^@\s]+$", text),
        other => panic!("format {other}"),
    }
}

/// The regular expression of the grammar knows no leap years, so 29 February is taken for a date here too.
fn is_date(text: &str) -> bool {
    let fields: Vec<u32> = text
        .split('-')
        .filter_map(|field| field.parse().ok())
        .collect();
    let &[_, month, day] = fields.as_slice() else {
        return false;
    };
    let days = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    matches("^[0-9]{4}-[0-9]{2}-[0-9]{2}$", text)
        && (1..=12).contains(&month)
        && (1..=days[month as usize - 1]).contains(&day)
}

fn in_range(keyword: &str, want: &Value, number: f64) -> bool {
    let want = || want.as_f64().expect("a number");
    match keyword {
        "minimum" => number >= want(),
        "maximum" => number <= want(),
        "exclusiveMinimum" => number > want(),
        "exclusiveMaximum" => number < want(),
        "multipleOf" => (number / want()).fract() == 0.0,
        _ => true,
    }
}

fn array(
    members: &Members,
    keyword: &str,
    want: &Value,
    items: &[Value],
    check: &dyn Fn(&Value, &Value) -> bool,
) -> bool {
    let prefix = members.get("prefixItems").or(members.get("items"));
    let prefix = prefix.and_then(Value::as_array).map_or(0, Vec::len);
    let rest = || items.iter().skip(prefix).all(|item| check(want, item));
    match keyword {
        "minItems" => items.len() as u64 >= want.as_u64().expect("a number"),
        "maxItems" => items.len() as u64 <= want.as_u64().expect("a number"),
        "prefixItems" => list(want)
            .iter()
            .zip(items)
            .all(|(want, item)| check(want, item)),
        "items" if want.is_array() => list(want)
            .iter()
            .zip(items)
            .all(|(want, item)| check(want, item)),
        "items" | "additionalItems" => rest(),
        _ => true,
    }
}

fn object(
    members: &Members,
    keyword: &str,
    want: &Value,
    found: &Members,
    check: &dyn Fn(&Value, &Value) -> bool,
) -> bool {
    let named = |name: &str| {
        members
            .get("properties")
            .is_some_and(|p| p.get(name).is_some())
    };
    let patterns = members.get("patternProperties").and_then(Value::as_object);
    let patterned =
        |name: &str| patterns.is_some_and(|all| all.keys().any(|pattern| matches(pattern, name)));
    match keyword {
        "required" => list(want)
            .iter()
            .all(|name| found.contains_key(name.as_str().expect("a name"))),
        "properties" => {
            let want = want.as_object().expect("an object");
            want.iter()
                .all(|(name, schema)| found.get(name).is_none_or(|value| check(schema, value)))
        }
        "patternProperties" => {
            let want = want.as_object().expect("an object");
            found.iter().all(|(name, value)| {
                want.iter()
                    .all(|(pattern, schema)| !matches(pattern, name) || check(schema, value))
            })
        }
        "additionalProperties" => found
            .iter()
            .all(|(name, value)| named(name) || patterned(name) || check(want, value)),
        "minProperties" => found.len() as u64 >= want.as_u64().expect("a number"),
        "maxProperties" => found.len() as u64 <= want.as_u64().expect("a number"),
        _ => true,
    }
}

#[test]
fn it_agrees_with_jsonschema() {
    let cases = testkit::golden::json("schemas/schemas.json");
    let verdicts = testkit::golden::json("schemas/verdicts.json");
    let mut counts = [0, 0];
    for (case, row) in list(&cases["accepted"]).iter().zip(list(&verdicts)) {
        for pair in list(row) {
            let (value, expected) = (&pair[0], pair[1].as_bool().expect("a verdict"));
            let schema = &case["schema"];
            assert_eq!(
                is_valid(schema, schema, value),
                expected,
                "{schema}\n{value}"
            );
            counts[usize::from(expected)] += 1;
        }
    }
    assert!(counts[0] > 300 && counts[1] > 150, "{counts:?}");
}
