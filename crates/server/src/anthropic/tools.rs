//! Tools as Anthropic's clients describe them.

use ingle::dialogue::{Tool, ToolChoice};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::error::{ApiError, Outcome};

/// A tool.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ToolFields {
    /// `custom`, or nothing; the others run on Anthropic's machines, or are known to Anthropic's models alone.
    #[serde(rename = "type")]
    kind: Option<String>,
    name: String,
    description: Option<String>,
    input_schema: Option<Value>,
    #[expect(dead_code, reason = "beginnings are cached without being told to")]
    cache_control: Option<Value>,
    #[expect(dead_code, reason = "schemas are always kept to")]
    strict: Option<bool>,
    #[expect(dead_code, reason = "arguments are always sent as they come")]
    eager_input_streaming: Option<bool>,
}

/// Whether the model calls a tool.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ChoiceFields {
    /// `auto`, `any`, `tool` or `none`.
    #[serde(rename = "type")]
    kind: String,
    /// Of `tool`.
    name: Option<String>,
    disable_parallel_tool_use: Option<bool>,
}

/// The tools.
///
/// # Errors
/// The place of one that the client does not run itself.
pub(crate) fn tools(fields: Vec<ToolFields>) -> Outcome<Vec<Tool>> {
    let tool = |(at, fields): (usize, ToolFields)| {
        let wrong = |name: &str, what: String| {
            let path = format!("tools[{at}].{name}");
            let message = format!("`{path}`: {what}");
            Err(ApiError::field(path, message))
        };
        match (fields.kind.as_deref(), fields.input_schema) {
            (None | Some("custom"), Some(schema)) => Ok(Tool::new(
                fields.name,
                fields.description.unwrap_or_default(),
                schema,
            )),
            (None | Some("custom"), None) => wrong("input_schema", "a schema is missing".into()),
            (Some(other), _) => wrong(
                "type",
                format!("`{other}` is not supported, expected `custom`"),
            ),
        }
    };
    fields.into_iter().enumerate().map(tool).collect()
}

/// Whether the model calls a tool, and whether it may call several.
///
/// # Errors
/// If it is none of the words, or wants a tool where there is none.
pub(crate) fn choice(fields: Option<ChoiceFields>, tools: &[Tool]) -> Outcome<(ToolChoice, bool)> {
    let Some(fields) = fields else {
        return Ok((ToolChoice::Auto, true));
    };
    let wrong = |param: &str, what: &str| {
        let message = format!("`{param}`: {what}");
        Err(ApiError::field(param, message))
    };
    let choice = match (fields.kind.as_str(), fields.name) {
        ("auto", _) => ToolChoice::Auto,
        ("none", _) => ToolChoice::None,
        ("any", _) => ToolChoice::Required,
        ("tool", Some(name)) => ToolChoice::Named(name),
        ("tool", None) => return wrong("tool_choice.name", "a tool's name is missing"),
        (other, _) => {
            let what = format!("expected `auto`, `any`, `tool` or `none`, found `{other}`");
            return wrong("tool_choice.type", &what);
        }
    };
    if tools.is_empty() && matches!(choice, ToolChoice::Required | ToolChoice::Named(_)) {
        return wrong("tool_choice", "a call is required, and there are no tools");
    }
    Ok((choice, fields.disable_parallel_tool_use != Some(true)))
}
