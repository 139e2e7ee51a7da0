//! One chunk of a stream. There is one for every token of every stream, so it is written from borrowed fields, without a
//! tree of values in between.

use ingle::dialogue::Delta;
use serde::Serialize;
use serde_json::Value;

use super::{PromptProgress, Timings};

/// A chunk; absent fields are left out.
#[derive(Serialize)]
pub(super) struct Chunk<'a> {
    pub(super) id: &'a str,
    pub(super) object: &'static str,
    pub(super) created: u64,
    pub(super) model: &'a str,
    pub(super) system_fingerprint: &'static str,
    /// None in the chunk that tells the usage, else one.
    pub(super) choices: &'a [Choice<'a>],
    /// Null until the last chunk, if it is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) usage: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) timings: Option<Timings>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) prompt_progress: Option<PromptProgress>,
}

/// More of a reply.
#[derive(Serialize)]
pub(super) struct Choice<'a> {
    pub(super) index: usize,
    #[serde(flatten)]
    pub(super) said: Said<'a>,
    pub(super) finish_reason: Option<&'static str>,
    pub(super) logprobs: Option<Value>,
}

/// What is new, in a chat or a completion.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Said<'a> {
    Delta(Turn<'a>),
    Text(&'a str),
}

/// Some of the assistant's turn.
#[derive(Default, Serialize)]
pub(super) struct Turn<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[Call<'a>; 1]>,
    /// What the server has called.
    #[serde(skip_serializing_if = "Option::is_none")]
    mcp_calls: Option<&'a [Value]>,
}

/// The beginning of a call, or more of its arguments.
#[derive(Serialize)]
struct Call<'a> {
    index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    arguments: &'a str,
}

impl<'a> Turn<'a> {
    /// What comes before the first token.
    pub(super) fn first() -> Self {
        Self {
            role: Some("assistant"),
            content: Some(""),
            ..Self::default()
        }
    }

    /// What the server has called.
    pub(super) fn called(calls: &'a [Value]) -> Self {
        Self {
            mcp_calls: Some(calls),
            ..Self::default()
        }
    }

    /// What a delta says in a chat; nothing for the end of a call.
    pub(super) fn of(delta: &'a Delta) -> Option<Self> {
        let call = |call| Self {
            tool_calls: Some([call]),
            ..Self::default()
        };
        Some(match delta {
            Delta::Content(text) => Self {
                content: Some(text),
                ..Self::default()
            },
            Delta::Reasoning(text) => Self {
                reasoning_content: Some(text),
                ..Self::default()
            },
            Delta::ToolCallStart { index, id, name } => call(Call {
                index: *index,
                id: Some(id),
                kind: Some("function"),
                function: Function {
                    name: Some(name),
                    arguments: "",
                },
            }),
            Delta::ToolCallArguments {
                index,
                json_fragment,
            } => call(Call {
                index: *index,
                id: None,
                kind: None,
                function: Function {
                    name: None,
                    arguments: json_fragment,
                },
            }),
            Delta::ToolCallEnd { .. } => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(delta: &Delta) -> String {
        let said = Said::Delta(Turn::of(delta).expect("it says something"));
        let choices = [Choice {
            index: 1,
            said,
            finish_reason: None,
            logprobs: None,
        }];
        let chunk = Chunk {
            id: "chatcmpl-1",
            object: "chat.completion.chunk",
            created: 7,
            model: "m",
            system_fingerprint: "f",
            choices: &choices,
            usage: Some(Value::Null),
            timings: None,
            prompt_progress: None,
        };
        serde_json::to_string(&chunk).expect("text")
    }

    #[test]
    fn chunks_have_the_fields_of_openai_in_their_order() {
        let around = |delta: &str| {
            format!(
                r#"{{"id":"chatcmpl-1","object":"chat.completion.chunk","created":7,"model":"m","system_fingerprint":"f","choices":[{{"index":1,"delta":{delta},"finish_reason":null,"logprobs":null}}],"usage":null}}"#
            )
        };
        let text = written(&Delta::Content("a\n\"".into()));
        assert_eq!(text, around(r#"{"content":"a\n\""}"#));
        let start = written(&Delta::ToolCallStart {
            index: 0,
            id: "c".into(),
            name: "look".into(),
        });
        let call = r#"{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"look","arguments":""}}]}"#;
        assert_eq!(start, around(call));
        let more = written(&Delta::ToolCallArguments {
            index: 0,
            json_fragment: "{".into(),
        });
        let call = r#"{"tool_calls":[{"index":0,"function":{"arguments":"{"}}]}"#;
        assert_eq!(more, around(call));
        assert!(Turn::of(&Delta::ToolCallEnd { index: 0 }).is_none());
    }
}
