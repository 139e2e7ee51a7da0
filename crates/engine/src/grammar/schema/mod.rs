//! JSON schemas: what can be enforced, and what is refused.
//!
//! A schema is read once, keyword by keyword ([JSON Schema 2020-12](https://json-schema.org/draft/2020-12), with
//! array `items`, `additionalItems` and boolean `exclusiveMinimum` of older drafts), and written anew with only
//! what `llguidance` enforces. Whatever else it says is an error that names the place: a keyword that nobody
//! knows might be a misspelt constraint. Annotations are dropped. Properties come in the schema's order.
//!
//! Not supported, so refused: `not`, `if`, `contains`, `uniqueItems`, `dependent…`, `unevaluated…`,
//! `propertyNames`, references out of the document, and `oneOf` whose cases are not plainly disjoint.
//! `format` is as exact as a regular expression is: 29 February comes in every year.

mod end;
mod keyword;
mod numbers;
mod refs;

use serde_json::{Map, Value, json};

use super::{GrammarError, limits};
use refs::Refs;

/// Between two tokens of JSON: one space at most. Small models that may break lines spend many of their tokens on it, and
/// who reads the reply parses it anyway.
const WHITESPACE: &str = "[ ]";

/// Escapes in strings. No `\u`: names of properties are compared as written.
const ESCAPES: &str = r#"nrbtf\""#;

/// The schema of any JSON object.
pub(super) fn any_object() -> Value {
    json!({"type": "object"})
}

/// `schema` as `llguidance` shall enforce it.
pub(super) fn prepared(schema: &Value) -> Result<Value, GrammarError> {
    limits::check_value(schema)?;
    let mut reader = Reader::default();
    let root = reader.read(schema, &mut "#".to_owned())?;
    reader.refs.check(&root)?;
    reader.multiples.check()?;
    let mut members = match root {
        Value::Object(members) => members,
        // `true`: any value. `false` has been refused.
        _ => Map::new(),
    };
    let options = json!({
        "whitespace_flexible": true,
        "whitespace_pattern": WHITESPACE,
        "json_allowed_escapes": ESCAPES,
    });
    members.insert("x-guidance".to_owned(), options);
    Ok(Value::Object(members))
}

/// Goes through a schema.
#[derive(Default)]
struct Reader {
    refs: Refs,
    multiples: numbers::Multiples,
}

impl Reader {
    /// The schema at `at`, rewritten. `at` comes back as it was.
    fn read(&mut self, schema: &Value, at: &mut String) -> Result<Value, GrammarError> {
        self.refs.seen(at);
        match schema {
            Value::Bool(false) if at == "#" => Err(refused(at, "`false` allows no reply at all")),
            Value::Bool(allowed) => Ok(Value::Bool(*allowed)),
            Value::Object(members) => {
                let mut out = Map::new();
                for (name, value) in members {
                    let length = at.len();
                    refs::push(at, name);
                    self.keyword(name, value, members, at, &mut out)?;
                    at.truncate(length);
                }
                check_count_of_properties(members, at)?;
                Ok(Value::Object(out))
            }
            other => Err(expected(at, "an object or a boolean", other)),
        }
    }

    /// An object whose values are schemas.
    fn map(&mut self, value: &Value, at: &mut String) -> Result<Value, GrammarError> {
        let Value::Object(members) = value else {
            return Err(expected(at, "an object of schemas", value));
        };
        let mut out = Map::new();
        for (name, schema) in members {
            let length = at.len();
            refs::push(at, name);
            out.insert(name.clone(), self.read(schema, at)?);
            at.truncate(length);
        }
        Ok(Value::Object(out))
    }

    /// An array of schemas.
    fn list(&mut self, value: &Value, at: &mut String) -> Result<Value, GrammarError> {
        let Value::Array(schemas) = value else {
            return Err(expected(at, "an array of schemas", value));
        };
        let mut out = Vec::with_capacity(schemas.len());
        for (i, schema) in schemas.iter().enumerate() {
            let length = at.len();
            refs::push(at, &i.to_string());
            out.push(self.read(schema, at)?);
            at.truncate(length);
        }
        Ok(Value::Array(out))
    }
}

/// A model may write the same free name twice, which counts as one property, so a least number of properties can
/// be enforced only where no name is free.
fn check_count_of_properties(members: &Map<String, Value>, at: &str) -> Result<(), GrammarError> {
    let Some(least) = members.get("minProperties").and_then(Value::as_u64) else {
        return Ok(());
    };
    let required = members.get("required").and_then(Value::as_array);
    let required = required.map_or(0, |names| names.len() as u64);
    let is_closed = members.get("additionalProperties") == Some(&Value::Bool(false))
        && !members.contains_key("patternProperties");
    if least > required && !is_closed {
        return Err(refused(
            &format!("{at}/minProperties"),
            "cannot be enforced beyond the required properties unless `additionalProperties` is `false`",
        ));
    }
    Ok(())
}

fn refused(at: &str, why: &str) -> GrammarError {
    GrammarError::Schema {
        at: at.to_owned(),
        why: why.to_owned(),
    }
}

fn expected(at: &str, what: &str, found: &Value) -> GrammarError {
    let mut text = found.to_string();
    if text.chars().count() > 60 {
        text = text.chars().take(60).collect();
        text.push('…');
    }
    refused(at, &format!("expected {what}, found `{text}`"))
}
