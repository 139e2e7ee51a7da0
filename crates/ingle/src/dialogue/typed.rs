//! Text as the type that a schema asks for.

use serde_json::Value;

/// `text` as JSON. Text stays text where the schema allows a string and the text is no better match for another
/// type it allows; without a schema it is JSON if it can be read as such.
pub(super) fn typed(text: &str, schema: Option<&Value>) -> Value {
    let types = schema.map(types).unwrap_or_default();
    let parsed = serde_json::from_str::<Value>(text.trim()).ok();
    let as_text = || Value::String(text.to_owned());
    if types.is_empty() {
        // An enumeration without a type says by its values which it is.
        let listed = schema
            .and_then(|schema| schema.get("enum"))
            .and_then(Value::as_array);
        if listed.is_some_and(|values| values.contains(&as_text())) {
            return as_text();
        }
        return parsed.unwrap_or_else(as_text);
    }
    let fits = |value: &Value| {
        types.iter().any(|&name| match value {
            Value::Null => name == "null",
            Value::Bool(_) => name == "boolean",
            Value::Number(_) => name == "number" || name == "integer",
            Value::Array(_) => name == "array",
            Value::Object(_) => name == "object",
            Value::String(_) => false,
        })
    };
    match (parsed, text.trim()) {
        (Some(value), _) if fits(&value) => value,
        (_, "True") if types.contains(&"boolean") => Value::Bool(true),
        (_, "False") if types.contains(&"boolean") => Value::Bool(false),
        (_, "None") if types.contains(&"null") => Value::Null,
        _ => as_text(),
    }
}

/// Names of the types that a schema allows, in it and its cases.
fn types(schema: &Value) -> Vec<&str> {
    let mut found = Vec::new();
    match schema.get("type") {
        Some(Value::String(name)) => found.push(name.as_str()),
        Some(Value::Array(names)) => found.extend(names.iter().filter_map(Value::as_str)),
        _ => {}
    }
    for cases in ["anyOf", "oneOf"] {
        let cases = schema.get(cases).and_then(Value::as_array);
        found.extend(cases.into_iter().flatten().flat_map(types));
    }
    found
}
