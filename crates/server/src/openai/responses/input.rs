//! What a response goes on from: text, or items of a conversation.

use std::collections::HashMap;

use ingle::Message;
use ingle::dialogue::ToolCall;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::error::{ApiError, Outcome};
use crate::fields::TextOr;
use crate::openai::messages::{Content, arguments};

/// Text of the user's, or items.
pub(crate) type Input = TextOr<Item>;

/// A message, a call, what came of it, or thoughts.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(crate) struct Item {
    /// `message`, `function_call`, `function_call_output` or `reasoning`.
    #[serde(rename = "type")]
    kind: Option<String>,
    role: Option<String>,
    content: Option<Content>,
    call_id: Option<String>,
    name: Option<String>,
    arguments: Option<Value>,
    output: Option<Content>,
    summary: Option<Content>,
    #[expect(dead_code, reason = "what replies have, and changes no text")]
    id: Option<String>,
    #[expect(dead_code, reason = "likewise")]
    status: Option<String>,
    #[expect(dead_code, reason = "likewise: thoughts are never encrypted here")]
    encrypted_content: Option<String>,
}

impl Input {
    /// The conversation.
    ///
    /// # Errors
    /// The place of what cannot be understood.
    pub(crate) fn messages(self, instructions: Option<String>) -> Outcome<Vec<Message>> {
        let mut turns = Turns::default();
        turns.messages.extend(instructions.map(Message::system));
        let items = match self {
            Self::Text(text) => {
                turns.messages.push(Message::user(text));
                return Ok(turns.messages);
            }
            Self::Parts(items) => items,
        };
        if items.is_empty() {
            let message = "`input`: expected text, or at least one item";
            return Err(ApiError::field("input", message));
        }
        for (at, item) in items.into_iter().enumerate() {
            turns.add(&format!("input[{at}]"), item)?;
        }
        Ok(turns.messages)
    }
}

/// A conversation in the making. Thoughts, text and calls that follow each other are one turn of the assistant's.
#[derive(Default)]
struct Turns {
    messages: Vec<Message>,
    /// The tools that were called, by the names of the calls.
    called: HashMap<String, String>,
}

impl Turns {
    fn add(&mut self, path: &str, item: Item) -> Outcome<()> {
        let missing = |field: &str| {
            let path = format!("{path}.{field}");
            ApiError::field(path.as_str(), format!("`{path}` is missing"))
        };
        let text = |content: Option<Content>, field: &str| match content {
            None => Ok(String::new()),
            Some(content) => content.text(&format!("{path}.{field}")),
        };
        match item.kind.as_deref().unwrap_or("message") {
            "message" => {
                let role = item.role.ok_or_else(|| missing("role"))?;
                let content = item.content.ok_or_else(|| missing("content"))?;
                let content = content.text(&format!("{path}.content"))?;
                match role.as_str() {
                    "assistant" => join(&mut self.assistant().content, &content),
                    "system" | "developer" | "user" => self.messages.push(Message {
                        role,
                        ..Message::user(content)
                    }),
                    other => {
                        let path = format!("{path}.role");
                        let message = format!(
                            "`{path}`: expected `user`, `assistant`, `system` or `developer`, found `{other}`"
                        );
                        return Err(ApiError::field(path, message));
                    }
                }
            }
            "reasoning" => {
                let thoughts = match item.content {
                    None => text(item.summary, "summary")?,
                    content => text(content, "content")?,
                };
                let turn = self.assistant().reasoning_content.get_or_insert_default();
                join(turn, &thoughts);
            }
            "function_call" => {
                let name = item.name.ok_or_else(|| missing("name"))?;
                let id = item.call_id.ok_or_else(|| missing("call_id"))?;
                self.called.insert(id.clone(), name.clone());
                let given = item.arguments.unwrap_or_default();
                let arguments = arguments(given, &format!("{path}.arguments"))?;
                let call = ToolCall {
                    id,
                    name,
                    arguments,
                };
                self.assistant().tool_calls.push(call);
            }
            "function_call_output" => {
                let id = item.call_id.ok_or_else(|| missing("call_id"))?;
                let output = item.output.ok_or_else(|| missing("output"))?;
                self.messages.push(Message {
                    role: "tool".into(),
                    name: self.called.get(&id).cloned(),
                    tool_call_id: Some(id),
                    ..Message::user(output.text(&format!("{path}.output"))?)
                });
            }
            other => {
                let path = format!("{path}.type");
                let message = format!(
                    "`{path}`: expected `message`, `function_call`, `function_call_output` or `reasoning`, \
                     found `{other}`"
                );
                return Err(ApiError::field(path, message));
            }
        }
        Ok(())
    }

    /// The assistant's turn that is under way, or a new one.
    fn assistant(&mut self) -> &mut Message {
        if self
            .messages
            .last()
            .is_none_or(|last| last.role != "assistant")
        {
            self.messages.push(Message::assistant(""));
        }
        self.messages.last_mut().expect("there is one now")
    }
}

fn join(text: &mut String, more: &str) {
    if !text.is_empty() && !more.is_empty() {
        text.push('\n');
    }
    text.push_str(more);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(input: Value) -> Outcome<Vec<Message>> {
        let input: Input = serde_json::from_value(input).expect("an input");
        input.messages(None)
    }

    #[test]
    fn items_of_one_turn_are_put_together() {
        let messages = read(json!([
            { "role": "user", "content": [{ "type": "input_text", "text": "Open" }] },
            { "type": "reasoning", "id": "rs_1", "summary": [], "content": [{ "type": "reasoning_text", "text": "Hm" }] },
            { "type": "message", "role": "assistant", "content": [{ "type": "output_text", "text": "Yes", "annotations": [] }] },
            { "type": "function_call", "call_id": "c", "name": "door", "arguments": "{\"open\": true}" },
            { "type": "function_call_output", "call_id": "c", "output": "done" },
        ]));
        let messages = messages.expect("a conversation");
        let roles: Vec<&str> = messages
            .iter()
            .map(|message| message.role.as_str())
            .collect();
        assert_eq!(roles, ["user", "assistant", "tool"]);
        assert_eq!(messages[1].content, "Yes");
        assert_eq!(messages[1].reasoning_content.as_deref(), Some("Hm"));
        assert_eq!(messages[1].tool_calls[0].arguments, json!({ "open": true }));
        assert_eq!(messages[2].name.as_deref(), Some("door"));
    }

    #[test]
    fn what_is_no_item_is_named() {
        let wrong = [
            (json!([]), "input"),
            (json!([{ "content": "x" }]), "input[0].role"),
            (
                json!([{ "role": "robot", "content": "x" }]),
                "input[0].role",
            ),
            (
                json!([{ "type": "item_reference", "id": "x" }]),
                "input[0].type",
            ),
            (
                json!([{ "type": "function_call", "name": "x" }]),
                "input[0].call_id",
            ),
            (
                json!([{ "type": "function_call", "name": "x", "call_id": "y", "arguments": "{" }]),
                "input[0].arguments",
            ),
            (
                json!([{ "role": "user", "content": [{ "type": "input_image" }] }]),
                "input[0].content[0]",
            ),
        ];
        for (input, param) in wrong {
            let error = read(input.clone()).expect_err("no item");
            let error = error.body(crate::error::Dialect::OpenAi);
            assert_eq!(error["error"]["param"], param, "{input}");
        }
    }
}
