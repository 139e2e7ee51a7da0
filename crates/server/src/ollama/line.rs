//! One line of a reply. There is one for every token of every stream, so it is written from borrowed fields, without a
//! tree of values in between.

use std::time::Duration;

use ingle::{Ending, FinishReason};
use serde::Serialize;
use serde_json::Value;

/// A line; absent fields are left out.
#[derive(Serialize)]
pub(super) struct Line<'a> {
    pub(super) model: &'a str,
    pub(super) created_at: String,
    pub(super) done: bool,
    #[serde(flatten)]
    pub(super) said: Said<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) logprobs: Option<Value>,
    #[serde(flatten)]
    pub(super) end: Option<End>,
}

/// What is new, in a chat or a completion.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Said<'a> {
    Chat {
        message: Turn<'a>,
    },
    Completion {
        response: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        thinking: &'a str,
    },
}

/// Some of the assistant's turn.
#[derive(Serialize)]
pub(super) struct Turn<'a> {
    pub(super) role: &'static str,
    pub(super) content: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) thinking: &'a str,
    #[serde(skip_serializing_if = "<[Value]>::is_empty")]
    pub(super) tool_calls: &'a [Value],
}

/// How a reply ended; times are in nanoseconds.
#[derive(Serialize)]
pub(super) struct End {
    done_reason: &'static str,
    total_duration: u64,
    load_duration: u64,
    prompt_eval_count: usize,
    prompt_eval_duration: u64,
    eval_count: usize,
    eval_duration: u64,
    /// The tokens to go on from.
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<Vec<u32>>,
}

impl End {
    /// The whole request took `total`, and the model was being loaded for `load` of it.
    pub(super) fn new(
        ending: &Ending,
        total: Duration,
        load: Duration,
        context: Option<Vec<u32>>,
    ) -> Self {
        let usage = &ending.usage;
        Self {
            done_reason: match ending.reason {
                FinishReason::Length => "length",
                _ => "stop",
            },
            total_duration: nanos(total),
            load_duration: nanos(load),
            prompt_eval_count: usage.prompt_tokens,
            prompt_eval_duration: nanos(usage.prompt_time),
            eval_count: usage.generated_tokens,
            eval_duration: nanos(usage.generation_time),
            context,
        }
    }
}

pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(said: Said<'_>, end: Option<End>) -> String {
        let line = Line {
            model: "m",
            created_at: "now".to_owned(),
            done: end.is_some(),
            said,
            logprobs: None,
            end,
        };
        serde_json::to_string(&line).expect("text")
    }

    #[test]
    fn lines_have_the_fields_of_ollama() {
        let turn = |thinking, tool_calls| Said::Chat {
            message: Turn {
                role: "assistant",
                content: "a\n",
                thinking,
                tool_calls,
            },
        };
        let start = r#"{"model":"m","created_at":"now","done":false,"message":{"role":"assistant","content":"a\n""#;
        assert_eq!(written(turn("", &[]), None), format!("{start}}}}}"));
        let both = written(turn("so", &[Value::Null]), None);
        let rest = r#","thinking":"so","tool_calls":[null]}}"#;
        assert_eq!(both, format!("{start}{rest}"));
        let ending = Ending {
            reason: FinishReason::Length,
            cause: None,
            usage: Default::default(),
        };
        let end = End::new(
            &ending,
            Duration::MAX,
            Duration::from_micros(1),
            Some(vec![7]),
        );
        let said = Said::Completion {
            response: "",
            thinking: "",
        };
        assert_eq!(
            written(said, Some(end)),
            r#"{"model":"m","created_at":"now","done":true,"response":"","done_reason":"length","total_duration":18446744073709551615,"load_duration":1000,"prompt_eval_count":0,"prompt_eval_duration":0,"eval_count":0,"eval_duration":0,"context":[7]}"#
        );
    }
}
