//! What happens to blocks, as events of a stream. There is one for every token of every stream, so they are written from
//! fields, without a tree of values in between.

use serde::Serialize;
use serde_json::Value;

/// What happens to the block of this number.
#[derive(Debug, Serialize)]
#[serde(tag = "type")]
pub(crate) enum Step {
    /// It begins, empty.
    #[serde(rename = "content_block_start")]
    Start { index: usize, content_block: Block },
    /// There is more of it.
    #[serde(rename = "content_block_delta")]
    Delta { index: usize, delta: More },
    /// It is whole.
    #[serde(rename = "content_block_stop")]
    Stop { index: usize },
}

/// Some of a reply.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Block {
    Text {
        text: String,
    },
    Thinking {
        thinking: String,
        /// Clients keep it and send it back; nobody here checks who thought what.
        signature: &'static str,
    },
    ToolUse {
        id: String,
        name: String,
        input: Value,
    },
}

/// More of a block.
#[derive(Debug, Serialize)]
#[serde(tag = "type")]
pub(crate) enum More {
    #[serde(rename = "text_delta")]
    Text { text: String },
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: String },
    #[serde(rename = "signature_delta")]
    Signature { signature: &'static str },
    #[serde(rename = "input_json_delta")]
    Input { partial_json: String },
}

impl Step {
    /// The event's name, which is its type, too.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Start { .. } => "content_block_start",
            Self::Delta { .. } => "content_block_delta",
            Self::Stop { .. } => "content_block_stop",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn steps_have_the_fields_of_anthropic_in_their_order() {
        let start = |content_block| Step::Start {
            index: 2,
            content_block,
        };
        let more = |delta| Step::Delta { index: 2, delta };
        let (id, name, input) = ("i".to_owned(), "look".to_owned(), json!({}));
        let (text, thinking) = (String::new(), String::new());
        let partial_json = "{".to_owned();
        let signature = "";
        let cases = [
            (
                start(Block::Text { text }),
                r#""content_block":{"type":"text","text":""}"#,
            ),
            (
                start(Block::Thinking {
                    thinking,
                    signature,
                }),
                r#""content_block":{"type":"thinking","thinking":"","signature":""}"#,
            ),
            (
                start(Block::ToolUse { id, name, input }),
                r#""content_block":{"type":"tool_use","id":"i","name":"look","input":{}}"#,
            ),
            (
                more(More::Text { text: "a\n".into() }),
                r#""delta":{"type":"text_delta","text":"a\n"}"#,
            ),
            (
                more(More::Thinking {
                    thinking: "so".into(),
                }),
                r#""delta":{"type":"thinking_delta","thinking":"so"}"#,
            ),
            (
                more(More::Signature { signature }),
                r#""delta":{"type":"signature_delta","signature":""}"#,
            ),
            (
                more(More::Input { partial_json }),
                r#""delta":{"type":"input_json_delta","partial_json":"{"}"#,
            ),
        ];
        for (step, rest) in cases {
            let written = serde_json::to_string(&step).expect("text");
            let name = step.name();
            assert_eq!(written, format!(r#"{{"type":"{name}","index":2,{rest}}}"#));
        }
        let stop = serde_json::to_string(&Step::Stop { index: 0 }).expect("text");
        assert_eq!(stop, r#"{"type":"content_block_stop","index":0}"#);
    }
}
