//! Conversations as OpenAI's clients send them.

use std::collections::HashMap;

use ingle::Message;
use ingle::dialogue::ToolCall;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::error::{ApiError, Outcome};
use crate::fields::TextOr;

/// A turn.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(crate) struct MessageFields {
    /// `system`, `developer`, `user`, `assistant` or `tool`.
    role: String,
    content: Option<Content>,
    /// What the assistant thought.
    reasoning_content: Option<String>,
    /// Another name of `reasoning_content`.
    reasoning: Option<String>,
    tool_calls: Option<Vec<CallFields>>,
    tool_call_id: Option<String>,
    name: Option<String>,
    refusal: Option<String>,
}

/// Text, or parts of it.
pub(crate) type Content = TextOr<ContentPart>;

#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(crate) struct ContentPart {
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
    refusal: Option<String>,
    #[expect(
        dead_code,
        reason = "what replies of `/v1/responses` have, and is no text"
    )]
    annotations: Option<Value>,
    #[expect(dead_code, reason = "likewise")]
    logprobs: Option<Value>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
struct CallFields {
    #[serde(default)]
    id: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    function: FunctionFields,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
struct FunctionFields {
    name: String,
    /// JSON as text; an object is taken too.
    #[serde(default)]
    arguments: Value,
}

/// The conversation.
///
/// # Errors
/// The place of what is not text, or not a known role.
pub(crate) fn messages(fields: Vec<MessageFields>) -> Outcome<Vec<Message>> {
    if fields.is_empty() {
        return Err(ApiError::field(
            "messages",
            "`messages`: expected at least one message",
        ));
    }
    // Templates want a tool's name with its answer; clients give the call's id alone.
    let mut names = HashMap::new();
    let mut messages = Vec::with_capacity(fields.len());
    for (index, fields) in fields.into_iter().enumerate() {
        let message = message(index, fields)?;
        for call in &message.tool_calls {
            names.insert(call.id.clone(), call.name.clone());
        }
        let name = message.name.clone();
        let named = || {
            message
                .tool_call_id
                .as_ref()
                .and_then(|id| names.get(id).cloned())
        };
        let name = name.or_else(named);
        messages.push(Message { name, ..message });
    }
    Ok(messages)
}

fn message(index: usize, fields: MessageFields) -> Outcome<Message> {
    let content = match fields.content {
        None => fields.refusal.unwrap_or_default(),
        Some(content) => content.text(&format!("messages[{index}].content"))?,
    };
    let calls = fields
        .tool_calls
        .unwrap_or_default()
        .into_iter()
        .enumerate();
    let calls = calls.map(|(at, call)| call.read(&format!("messages[{index}].tool_calls[{at}]")));
    Ok(Message {
        role: fields.role,
        content,
        reasoning_content: fields.reasoning_content.or(fields.reasoning),
        tool_calls: calls.collect::<Outcome<_>>()?,
        tool_call_id: fields.tool_call_id,
        name: fields.name,
    })
}

impl Content {
    /// All of it.
    ///
    /// # Errors
    /// The place of a part that is not text, under `path`.
    pub(crate) fn text(self, path: &str) -> Outcome<String> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Parts(parts) => text_of(path, parts),
        }
    }
}

/// Parts as one text, a line each.
fn text_of(path: &str, parts: Vec<ContentPart>) -> Outcome<String> {
    let text =
        |(at, part): (usize, ContentPart)| match (part.kind.as_str(), part.text, part.refusal) {
            (
                "text" | "input_text" | "output_text" | "reasoning_text" | "summary_text",
                Some(text),
                _,
            )
            | ("refusal", _, Some(text)) => Ok(text),
            (kind, ..) => {
                let path = format!("{path}[{at}]");
                let message =
                    format!("`{path}`: expected text, found `{kind}`: this model reads text alone");
                Err(ApiError::field(path, message))
            }
        };
    let texts: Vec<String> = parts
        .into_iter()
        .enumerate()
        .map(text)
        .collect::<Outcome<_>>()?;
    Ok(texts.join("\n"))
}

impl CallFields {
    fn read(self, path: &str) -> Outcome<ToolCall> {
        if self.kind.as_deref().is_some_and(|kind| kind != "function") {
            let message = format!("`{path}.type`: expected `function`");
            return Err(ApiError::field(format!("{path}.type"), message));
        }
        let path = format!("{path}.function.arguments");
        Ok(ToolCall {
            id: self.id,
            name: self.function.name,
            arguments: arguments(self.function.arguments, &path)?,
        })
    }
}

/// A call's arguments, which are text or an object.
///
/// # Errors
/// If the text at `path` is not JSON.
pub(crate) fn arguments(value: Value, path: &str) -> Outcome<Value> {
    match value {
        Value::Null => Ok(Value::Object(serde_json::Map::new())),
        Value::String(text) if text.trim().is_empty() => Ok(Value::Object(serde_json::Map::new())),
        Value::String(text) => serde_json::from_str(&text).map_err(|error| {
            let message = format!("`{path}`: expected JSON, {error}");
            ApiError::field(path, message)
        }),
        other => Ok(other),
    }
}
