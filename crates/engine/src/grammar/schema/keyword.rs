//! One keyword of a schema.

use llguidance::{derivre, regex_to_lark};
use serde_json::{Map, Value};

use super::{Reader, expected, numbers, refused};
use crate::grammar::{GrammarError, limits};

const TYPES: [&str; 7] = [
    "null", "boolean", "integer", "number", "string", "array", "object",
];

/// Formats that are enforced.
const FORMATS: [&str; 10] = [
    "date-time",
    "date",
    "time",
    "duration",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "uri",
    "uuid",
];

/// Keywords that constrain nothing, besides those that begin with `x-`.
const ANNOTATIONS: [&str; 12] = [
    "$comment",
    "title",
    "description",
    "default",
    "examples",
    "example",
    "deprecated",
    "readOnly",
    "writeOnly",
    "contentMediaType",
    "contentEncoding",
    "discriminator",
];

const DRAFTS: [&str; 5] = [
    "https://json-schema.org/draft/2020-12/schema",
    "https://json-schema.org/draft/2019-09/schema",
    "http://json-schema.org/draft-07/schema",
    "http://json-schema.org/draft-06/schema",
    "http://json-schema.org/draft-04/schema",
];

impl Reader {
    /// Adds what keyword `name` of the schema `members` means to `out`; `at` is the keyword's place.
    pub(super) fn keyword(
        &mut self,
        name: &str,
        value: &Value,
        members: &Map<String, Value>,
        at: &mut String,
        out: &mut Map<String, Value>,
    ) -> Result<(), GrammarError> {
        let value = match name {
            "properties" | "patternProperties" => {
                if name == "patternProperties" {
                    self.patterns(value, at)?;
                }
                self.map(value, at)?
            }
            "$defs" | "definitions" => self.map(value, at)?,
            "anyOf" | "oneOf" | "allOf" | "prefixItems" => {
                if value.as_array().is_some_and(Vec::is_empty) && name != "prefixItems" {
                    return Err(expected(at, "at least one schema", value));
                }
                self.list(value, at)?
            }
            "items" if value.is_array() => {
                if members.contains_key("prefixItems") {
                    return Err(refused(at, "an array of schemas beside `prefixItems`"));
                }
                let items = self.list(value, at)?;
                out.insert("prefixItems".to_owned(), items);
                return Ok(());
            }
            "items" | "additionalProperties" => self.read(value, at)?,
            "additionalItems" => {
                if !members.get("items").is_some_and(Value::is_array) {
                    return Err(refused(at, "has a meaning only beside an array of `items`"));
                }
                let rest = self.read(value, at)?;
                out.insert("items".to_owned(), rest);
                return Ok(());
            }
            "$ref" => self.refs.reference(value, at)?,
            "type" => types(value, at)?,
            "enum" => {
                let some = value.as_array().filter(|values| !values.is_empty());
                let values = some.ok_or_else(|| expected(at, "an array of values", value))?;
                values
                    .iter()
                    .try_for_each(|value| numbers::check_all(value, at))?;
                value.clone()
            }
            "const" => {
                numbers::check_all(value, at)?;
                value.clone()
            }
            "required" => {
                let names = value
                    .as_array()
                    .filter(|names| names.iter().all(Value::is_string));
                names.ok_or_else(|| expected(at, "an array of names", value))?;
                value.clone()
            }
            "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties"
            | "maxProperties" => count(value, at)?,
            "minimum" | "maximum" => numbers::bound(value, at)?,
            "exclusiveMinimum" | "exclusiveMaximum" if value.is_boolean() => value.clone(),
            "exclusiveMinimum" | "exclusiveMaximum" => numbers::bound(value, at)?,
            "multipleOf" => self.multiples.add(value, at)?,
            "pattern" => {
                let text = value
                    .as_str()
                    .ok_or_else(|| expected(at, "a regular expression", value))?;
                pattern(text, at)?;
                value.clone()
            }
            "format" if numbers::is_format(value) => {
                return numbers::format(value, members, at, out);
            }
            "format" => {
                let known = value.as_str().filter(|name| FORMATS.contains(name));
                known.ok_or_else(|| {
                    expected(at, &format!("one of {}", FORMATS.join(", ")), value)
                })?;
                value.clone()
            }
            "uniqueItems" if value == &Value::Bool(false) => return Ok(()),
            "$schema" => {
                let known = value.as_str().map(|uri| uri.trim_end_matches('#'));
                if known.is_some_and(|uri| DRAFTS.contains(&uri)) {
                    return Ok(());
                }
                return Err(expected(at, "a draft of JSON Schema", value));
            }
            "$id" | "id" | "$anchor" if at.matches('/').count() == 1 => return Ok(()),
            name if ANNOTATIONS.contains(&name) => return Ok(()),
            name if name.starts_with("x-") && name != "x-guidance" => return Ok(()),
            name => {
                return Err(refused(
                    at,
                    &format!("the keyword `{name}` cannot be enforced"),
                ));
            }
        };
        out.insert(name.to_owned(), value);
        Ok(())
    }

    /// Checks the names of `patternProperties`.
    fn patterns(&self, value: &Value, at: &str) -> Result<(), GrammarError> {
        let members = value
            .as_object()
            .ok_or_else(|| expected(at, "an object of schemas", value))?;
        members.keys().try_for_each(|name| pattern(name, at))
    }
}

fn types(value: &Value, at: &str) -> Result<Value, GrammarError> {
    let is_type = |value: &Value| value.as_str().is_some_and(|name| TYPES.contains(&name));
    let fine = match value {
        Value::Array(types) => !types.is_empty() && types.iter().all(is_type),
        other => is_type(other),
    };
    if !fine {
        return Err(expected(
            at,
            &format!("one or several of {}", TYPES.join(", ")),
            value,
        ));
    }
    Ok(value.clone())
}

fn count(value: &Value, at: &str) -> Result<Value, GrammarError> {
    let number = value
        .as_u64()
        .filter(|&number| number <= limits::MAX_COUNT as u64);
    if number.is_none() {
        return Err(expected(
            at,
            &format!("a number from 0 to {}", limits::MAX_COUNT),
            value,
        ));
    }
    Ok(value.clone())
}

/// Checks that a regular expression can be enforced: no look-around, no back references.
fn pattern(text: &str, at: &str) -> Result<(), GrammarError> {
    limits::check_text(text)?;
    let read = derivre::RegexBuilder::new().mk_regex_for_serach(&regex_to_lark(text, "dw"));
    read.map_err(|e| refused(at, &crate::grammar::error::brief(&e.to_string())))?;
    Ok(())
}
