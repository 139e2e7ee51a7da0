//! Arguments as Lark.

use serde_json::{Map, Value};

use super::formats::Rules;
use super::quoted;
use crate::dialogue::Tool;

/// All arguments of a tool as JSON. Where its schema is silent, arguments that it does not name are none.
pub(super) fn json(parameters: &Value) -> String {
    let mut schema = parameters.as_object().cloned().unwrap_or_default();
    schema.entry("type").or_insert_with(|| "object".into());
    schema
        .entry("additionalProperties")
        .or_insert(Value::Bool(false));
    format!("%json {}", Value::Object(schema))
}

/// The schema of one argument on its own, with what it may refer to.
fn schema(tool: &Tool, key: &str) -> Value {
    let mut schema = match tool.argument(key) {
        Some(Value::Object(members)) => members.clone(),
        _ => Map::new(),
    };
    for name in ["$defs", "definitions"] {
        if let Some(shared) = tool.parameters.get(name) {
            schema.entry(name).or_insert_with(|| shared.clone());
        }
    }
    Value::Object(schema)
}

/// Arguments one by one, in the order of the schema, those that are required for certain; `each` writes one.
/// None if there are some without a name.
pub(super) fn object(
    tool: &Tool,
    rules: &mut Rules,
    between: &str,
    each: &dyn Fn(&mut Rules, &str) -> String,
) -> Option<String> {
    let keys = properties(&tool.parameters)?;
    let each = |rules: &mut Rules, key: &str| Some(each(rules, key));
    members(rules, &tool.parameters, &keys, between, &each)
}

/// The names of an object's members. None if some must be there that have none.
pub(super) fn properties(schema: &Value) -> Option<Vec<&str>> {
    let keys = match schema.get("properties") {
        Some(properties) => properties.as_object()?.keys().map(String::as_str).collect(),
        None => Vec::new(),
    };
    let all_named = required(schema).all(|name| keys.contains(&name));
    all_named.then_some(keys)
}

fn required(schema: &Value) -> impl Iterator<Item = &str> {
    let required = schema.get("required").and_then(Value::as_array);
    required.into_iter().flatten().filter_map(Value::as_str)
}

/// The members of an object in the order of `keys`, those that its schema requires for certain; `each` writes one, if it
/// can.
pub(super) fn members<W: AsMut<Rules>>(
    writer: &mut W,
    schema: &Value,
    keys: &[&str],
    between: &str,
    each: &dyn Fn(&mut W, &str) -> Option<String>,
) -> Option<String> {
    let is_required = |key: &str| required(schema).any(|name| name == key);
    // Rule `rest_i` is what may come from argument `i` on, after another; `first_i` if none has come yet.
    let number = writer.as_mut().number();
    let rest = |kind: &str, i: usize| format!("{kind}_{number}_{i}");
    let lead = if between.is_empty() {
        String::new()
    } else {
        quoted(between)
    };
    for (i, key) in keys.iter().enumerate() {
        let one = each(writer, key)?;
        let rules = writer.as_mut();
        let after = rest("rest", i + 1);
        let skip = |kind: &str| {
            if is_required(key) {
                String::new()
            } else {
                format!(" | {}", rest(kind, i + 1))
            }
        };
        let name = format!("arg_{number}_{i}");
        rules.lines.push(format!("{name}: {one}"));
        rules.lines.push(format!(
            "{}: {lead} {name} {after}{}",
            rest("rest", i),
            skip("rest")
        ));
        rules.lines.push(format!(
            "{}: {name} {after}{}",
            rest("first", i),
            skip("first")
        ));
    }
    for kind in ["rest", "first"] {
        writer
            .as_mut()
            .lines
            .push(format!("{}: \"\"", rest(kind, keys.len())));
    }
    Some(rest("first", 0))
}

/// The value of an argument as text in tags, up to and with the tag `close`, before which `lead` stands.
pub(super) fn member(tool: &Tool, key: &str, close: &str, lead: &str, rules: &mut Rules) -> String {
    let schema = schema(tool, key);
    let end = format!(
        "{} %token {}",
        if lead.is_empty() {
            String::new()
        } else {
            quoted(lead)
        },
        quoted(close)
    );
    if let Some(texts) = texts(&schema) {
        return format!("({}) {end}", texts.join(" | "));
    }
    let kind = schema.get("type").and_then(Value::as_str);
    if kind == Some("string")
        && !["pattern", "format", "const"]
            .iter()
            .any(|word| schema.get(word).is_some())
    {
        let name = format!("text_{}_{}", rules.tool, rules.lines.len());
        let free = name.to_uppercase();
        rules
            .lines
            .push(format!("%until {name} {free} {}", quoted(close)));
        return name;
    }
    format!("%json {schema} {end}")
}

/// The value of an argument as Python writes it: like JSON but for the constants.
pub(super) fn python(tool: &Tool, key: &str) -> String {
    let schema = schema(tool, key);
    match schema.get("type").and_then(Value::as_str) {
        Some("boolean") => "(\"True\" | \"False\")".to_owned(),
        Some("null") => "\"None\"".to_owned(),
        _ => format!("%json {schema}"),
    }
}

/// The texts of an enumeration that has nothing else in it.
fn texts(schema: &Value) -> Option<Vec<String>> {
    let values = schema.get("enum")?.as_array()?;
    values
        .iter()
        .map(|value| value.as_str().map(quoted))
        .collect()
}
