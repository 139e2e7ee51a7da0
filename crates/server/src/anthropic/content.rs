//! Conversations as Anthropic's clients send them: turns of blocks.
//!
//! A turn of the user may hold answers of tools beside text; templates want each as a turn of its own, in order.
//! Several texts of a turn are one text, a line each.

use std::collections::HashMap;

use ingle::Message;
use ingle::dialogue::ToolCall;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::{ApiError, Outcome};
use crate::fields::TextOr;

/// A turn.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct TurnFields {
    /// `user` or `assistant`; `system` too, as some clients send it.
    role: String,
    content: Content,
}

/// Text, or blocks.
pub(crate) type Content = TextOr<Block>;

/// A block of any kind; which fields it has depends on `type`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(crate) struct Block {
    #[serde(rename = "type")]
    kind: String,
    /// Of `text`.
    text: Option<String>,
    /// Of `thinking`.
    thinking: Option<String>,
    /// Of `tool_use`.
    id: Option<String>,
    name: Option<String>,
    input: Option<Value>,
    /// Of `tool_result`.
    tool_use_id: Option<String>,
    content: Option<Content>,
    is_error: Option<bool>,
    #[expect(dead_code, reason = "beginnings are cached without being told to")]
    cache_control: Option<Value>,
    #[expect(dead_code, reason = "what vouches for thoughts, and nobody checks")]
    signature: Option<String>,
    #[expect(dead_code, reason = "known; what is not text is refused by its type")]
    source: Option<Value>,
}

/// How clients that are sold by the request mark a block that is for the seller. It differs in every request, so a
/// prompt that begins with it is never in the cache; the model has no use for it.
const BILLING: &str = "x-anthropic-billing-header:";

/// The conversation, and whether its last turn is to be gone on with.
///
/// # Errors
/// The place of what is not as it should be, or is no text.
pub(crate) fn messages(
    system: Option<Content>,
    turns: Vec<TurnFields>,
) -> Outcome<(Vec<Message>, bool)> {
    if turns.is_empty() {
        let message = "`messages`: expected at least one message";
        return Err(ApiError::field("messages", message));
    }
    let continues = turns.last().is_some_and(|turn| turn.role == "assistant");
    let mut reader = Reader::default();
    if let Some(text) = system.map(instructions).transpose()? {
        reader.add("system", text);
    }
    for (at, turn) in turns.into_iter().enumerate() {
        let path = format!("messages[{at}]");
        match turn.role.as_str() {
            "assistant" => reader.assistant(turn.content, &path)?,
            "user" => reader.user(turn.content, &path)?,
            "system" => {
                let text = text_of(turn.content, &format!("{path}.content"))?;
                reader.add("system", text);
            }
            other => {
                let message =
                    format!("`{path}.role`: expected `user` or `assistant`, found `{other}`");
                return Err(ApiError::field(format!("{path}.role"), message));
            }
        }
    }
    Ok((reader.messages, continues))
}

/// The system prompt, without what is for the seller; empty if nothing is left.
fn instructions(content: Content) -> Outcome<String> {
    let text = match content {
        Content::Text(text) => match text.strip_prefix(BILLING) {
            Some(rest) => rest
                .split_once('\n')
                .map_or("", |(_, rest)| rest)
                .to_owned(),
            None => text,
        },
        Content::Parts(mut blocks) => {
            let is_billing = |block: &Block| {
                block
                    .text
                    .as_ref()
                    .is_some_and(|text| text.starts_with(BILLING))
            };
            blocks.retain(|block| !is_billing(block));
            text_of(Content::Parts(blocks), "system")?
        }
    };
    Ok(text)
}

#[derive(Default)]
struct Reader {
    messages: Vec<Message>,
    /// Tools by the ids of their calls, since answers name the call alone.
    names: HashMap<String, String>,
}

impl Reader {
    fn add(&mut self, role: &str, text: String) {
        if !text.is_empty() {
            self.messages.push(Message::new(role, text));
        }
    }

    fn user(&mut self, content: Content, path: &str) -> Outcome<()> {
        let blocks = match content {
            Content::Text(text) => {
                self.messages.push(Message::user(text));
                return Ok(());
            }
            Content::Parts(blocks) => blocks,
        };
        let mut texts = Vec::new();
        for (at, block) in blocks.into_iter().enumerate() {
            let path = format!("{path}.content[{at}]");
            if block.kind == "tool_result" {
                self.add("user", std::mem::take(&mut texts).join("\n"));
                let answer = self.tool_result(block, &path)?;
                self.messages.push(answer);
            } else {
                texts.push(block.into_text(&path)?);
            }
        }
        self.add("user", texts.join("\n"));
        Ok(())
    }

    fn tool_result(&self, block: Block, path: &str) -> Outcome<Message> {
        let id = needed(block.tool_use_id, path, "tool_use_id")?;
        let content = block
            .content
            .map(|content| text_of(content, &format!("{path}.content")));
        let mut content = content.transpose()?.unwrap_or_default();
        if block.is_error == Some(true) {
            content = format!("Error: {content}");
        }
        Ok(Message {
            name: self.names.get(&id).cloned(),
            tool_call_id: Some(id),
            ..Message::new("tool", content)
        })
    }

    fn assistant(&mut self, content: Content, path: &str) -> Outcome<()> {
        let blocks = match content {
            Content::Text(text) => {
                self.messages.push(Message::assistant(text));
                return Ok(());
            }
            Content::Parts(blocks) => blocks,
        };
        let (mut texts, mut thoughts, mut calls) = (Vec::new(), Vec::new(), Vec::new());
        for (at, block) in blocks.into_iter().enumerate() {
            let path = format!("{path}.content[{at}]");
            match block.kind.as_str() {
                "thinking" => thoughts.push(needed(block.thinking, &path, "thinking")?),
                "tool_use" => {
                    let call = ToolCall {
                        id: needed(block.id, &path, "id")?,
                        name: needed(block.name, &path, "name")?,
                        arguments: block.input.unwrap_or_else(|| Value::Object(Map::new())),
                    };
                    self.names.insert(call.id.clone(), call.name.clone());
                    calls.push(call);
                }
                _ => texts.push(block.into_text(&path)?),
            }
        }
        let thoughts = thoughts.join("\n");
        self.messages.push(Message {
            reasoning_content: (!thoughts.is_empty()).then_some(thoughts),
            ..Message::calls(texts.join("\n"), calls)
        });
        Ok(())
    }
}

impl Block {
    fn into_text(self, path: &str) -> Outcome<String> {
        match self.kind.as_str() {
            "text" => needed(self.text, path, "text"),
            kind => {
                let message =
                    format!("`{path}`: expected text, found `{kind}`: this model reads text alone");
                Err(ApiError::field(path, message))
            }
        }
    }
}

fn text_of(content: Content, path: &str) -> Outcome<String> {
    match content {
        Content::Text(text) => Ok(text),
        Content::Parts(blocks) => {
            let text = |(at, block): (usize, Block)| block.into_text(&format!("{path}[{at}]"));
            let texts = blocks.into_iter().enumerate().map(text);
            Ok(texts.collect::<Outcome<Vec<_>>>()?.join("\n"))
        }
    }
}

fn needed(field: Option<String>, path: &str, name: &str) -> Outcome<String> {
    field.ok_or_else(|| {
        let path = format!("{path}.{name}");
        ApiError::field(path.as_str(), format!("`{path}` is missing"))
    })
}
