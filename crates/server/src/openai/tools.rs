//! Tools as OpenAI's clients describe them, and calls as they expect them.

use ingle::Model;
use ingle::dialogue::{Format, Tool, ToolCall, ToolChoice};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::{ApiError, Outcome};

/// A tool.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(crate) struct ToolFields {
    #[serde(rename = "type")]
    kind: String,
    function: Option<Function>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
struct Function {
    name: String,
    description: Option<String>,
    parameters: Option<Value>,
    #[expect(dead_code, reason = "schemas are always kept to")]
    strict: Option<bool>,
}

/// `none`, `auto`, `required`, or a function's name.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum ToolChoiceFields {
    Word(String),
    Named {
        #[serde(rename = "type")]
        kind: String,
        function: Option<NamedFunction>,
    },
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(crate) struct NamedFunction {
    name: String,
}

/// The tools.
///
/// # Errors
/// The place of one that is not a function.
pub(crate) fn tools(fields: Vec<ToolFields>) -> Outcome<Vec<Tool>> {
    let tool = |(at, fields): (usize, ToolFields)| match (fields.kind.as_str(), fields.function) {
        ("function", Some(function)) => Ok(Tool::new(
            function.name,
            function.description.unwrap_or_default(),
            function
                .parameters
                .filter(|schema| !schema.is_null())
                .unwrap_or_else(no_parameters),
        )),
        ("function", None) => {
            let path = format!("tools[{at}].function");
            let message = format!("`{path}`: expected a function");
            Err(ApiError::field(path, message))
        }
        (other, _) => {
            let path = format!("tools[{at}].type");
            let message = format!("`{path}`: expected `function`, found `{other}`");
            Err(ApiError::field(path, message))
        }
    };
    fields.into_iter().enumerate().map(tool).collect()
}

/// The schema of a function that takes nothing.
pub(crate) fn no_parameters() -> Value {
    json!({ "type": "object", "properties": {} })
}

/// Whether the model calls a tool.
///
/// # Errors
/// If it is none of the words.
pub(crate) fn choice(fields: Option<ToolChoiceFields>) -> Outcome<ToolChoice> {
    let wrong = |found: &str| {
        let message = format!(
            "`tool_choice`: expected `none`, `auto`, `required` or a function, found `{found}`"
        );
        Err(ApiError::field("tool_choice", message))
    };
    match fields {
        None => Ok(ToolChoice::Auto),
        Some(ToolChoiceFields::Word(word)) => match word.as_str() {
            "none" => Ok(ToolChoice::None),
            "auto" => Ok(ToolChoice::Auto),
            "required" | "any" => Ok(ToolChoice::Required),
            other => wrong(other),
        },
        Some(ToolChoiceFields::Named { kind, function }) => match (kind.as_str(), function) {
            ("function", Some(function)) => Ok(ToolChoice::Named(function.name)),
            (other, _) => wrong(other),
        },
    }
}

/// Checks that the model is shown tools at all.
///
/// # Errors
/// If its template knows no way of calling them.
pub(crate) fn check_format(model: &Model, tools: &[Tool]) -> Outcome<()> {
    match tools.is_empty() || can_call(model.info().chat_template.as_deref()) {
        true => Ok(()),
        false => {
            let message = "`tools`: this model's chat template has no way of calling tools";
            Err(ApiError::field("tools", message))
        }
    }
}

/// Whether a chat template has calls of tools.
pub(crate) fn can_call(template: Option<&str>) -> bool {
    Format::detect(template.unwrap_or_default()).calls.is_some()
}

/// A call in a whole reply, its arguments as the model wrote them: so they are the same text as in a stream.
pub(crate) fn call(call: &ToolCall, arguments: &str) -> Value {
    json!({
        "id": call.id,
        "type": "function",
        "function": { "name": call.name, "arguments": arguments },
    })
}
