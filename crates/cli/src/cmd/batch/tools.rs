//! Tools and what may be called, in the words of OpenAI's API.

use ingle::dialogue::{Tool, ToolCall, ToolChoice};
use serde_json::{Map, Value, json};

/// Reads a list of tools.
///
/// # Errors
/// What is wrong, with its place.
pub(crate) fn tools(value: &Value) -> Result<Vec<Tool>, String> {
    let list = value.as_array().ok_or("`tools`: expected a list")?;
    let tool = |(i, value): (usize, &Value)| {
        tool(value).ok_or_else(|| {
            format!(
                "`tools[{i}]`: expected `type` function and `function` with a `name`, and perhaps a `description`, \
                 `parameters` (an object) and `strict`"
            )
        })
    };
    list.iter().enumerate().map(tool).collect()
}

fn tool(value: &Value) -> Option<Tool> {
    let object = value.as_object()?;
    let function = object.get("function")?.as_object()?;
    let is_known = object["type"] == "function"
        && has_only(object, &["type", "function"])
        && has_only(function, &["name", "description", "parameters", "strict"]);
    let text = |value: Option<&Value>| match value {
        None | Some(Value::Null) => Some(String::new()),
        Some(value) => value.as_str().map(str::to_owned),
    };
    let parameters = match function.get("parameters") {
        None | Some(Value::Null) => json!({ "type": "object", "properties": {} }),
        Some(value) => value.is_object().then(|| value.clone())?,
    };
    let name = function.get("name")?.as_str()?;
    let tool = Tool::new(name, text(function.get("description"))?, parameters);
    is_known.then_some(tool)
}

fn has_only(object: &Map<String, Value>, known: &[&str]) -> bool {
    object.keys().all(|key| known.contains(&key.as_str()))
}

/// Reads what may be called: `none`, `auto`, `required`, or the name of a function.
///
/// # Errors
/// If it is nothing of that.
pub(crate) fn choice(value: &Value) -> Result<ToolChoice, String> {
    const EXPECTED: &str = "`tool_choice`: expected none, auto, required, or `type` function and `function` with its `name`";
    match value {
        Value::String(word) => match word.as_str() {
            "none" => Ok(ToolChoice::None),
            "auto" => Ok(ToolChoice::Auto),
            "required" => Ok(ToolChoice::Required),
            _ => Err(EXPECTED.to_owned()),
        },
        value => {
            let name = value
                .get("function")
                .and_then(|function| function["name"].as_str());
            let is_function = value.get("type").is_some_and(|kind| kind == "function");
            let name = name.filter(|_| is_function).ok_or(EXPECTED)?;
            Ok(ToolChoice::Named(name.to_owned()))
        }
    }
}

/// Calls as OpenAI's API has them: arguments are a text.
pub(crate) fn calls(calls: &[ToolCall]) -> Value {
    let calls = calls.iter().map(|call| {
        json!({
            "id": call.id,
            "type": "function",
            "function": { "name": call.name, "arguments": call.arguments.to_string() },
        })
    });
    calls.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_read_and_what_is_wrong_is_named() {
        let list = json!([
            { "type": "function", "function": { "name": "a" } },
            { "type": "function", "function": { "name": "b", "description": "x", "parameters": { "type": "object" } } },
        ]);
        let found = tools(&list).expect("two tools");
        assert_eq!(
            (found[0].name.as_str(), found[1].description.as_str()),
            ("a", "x")
        );
        for wrong in [
            json!([{ "function": { "name": "a" }, "type": "other" }]),
            json!([{ "type": "function", "function": {} }]),
            json!([{ "type": "function", "function": { "name": "a", "parameters": 3 } }]),
            json!([{ "type": "function", "function": { "name": "a", "more": 3 } }]),
            json!([7]),
        ] {
            let error = tools(&wrong).expect_err("no tool");
            assert!(error.starts_with("`tools[0]`"), "{error}");
        }
        assert!(tools(&json!({})).is_err());
    }

    #[test]
    fn choices_are_words_or_functions() {
        let named = json!({ "type": "function", "function": { "name": "a" } });
        assert_eq!(choice(&named), Ok(ToolChoice::Named("a".into())));
        assert_eq!(choice(&json!("required")), Ok(ToolChoice::Required));
        for wrong in [
            json!("any"),
            json!(1),
            json!({ "function": { "name": "a" } }),
        ] {
            assert!(choice(&wrong).is_err(), "{wrong}");
        }
    }
}
