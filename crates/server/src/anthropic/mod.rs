//! Anthropic's dialect: `/v1/messages` and its `count_tokens`.
//!
//! Left out: what runs on Anthropic's machines (tools of the server, files, batches), images and documents.

mod blocks;
mod content;
mod messages;
mod steps;
mod stream;
mod tools;

use ingle::{Ending, FinishReason, StopCause, Usage};
use serde_json::{Value, json};

use crate::fields::SamplingFields;
use crate::routes::{Fields, Routes, about};

/// Its paths.
pub(crate) fn routes() -> Routes {
    let messages = |summary| {
        about(summary)
            .body::<messages::Fields>()
            .body::<SamplingFields>()
    };
    Routes::default()
        .post(
            &["/v1/messages"],
            messages::create,
            messages("Answers a conversation")
                .gives(MESSAGE)
                .streams("text/event-stream"),
        )
        .post(
            &["/v1/messages/count_tokens"],
            messages::count_tokens,
            messages("How many tokens a conversation is").gives(&[("input_tokens", "integer")]),
        )
}

const MESSAGE: Fields = &[
    ("id", "string"),
    ("type", "string"),
    ("role", "string"),
    ("model", "string"),
    ("content", "array"),
    ("usage", "object"),
];

/// Counts of tokens. What was cached is not part of `input_tokens`.
fn usage(usage: &Usage) -> Value {
    json!({
        "input_tokens": usage.prompt_tokens.saturating_sub(usage.cached_tokens),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.generated_tokens,
    })
}

/// Why a reply ended, and the stop sequence that ended it.
fn stop_reason(ending: &Ending, has_calls: bool, max_tokens: usize) -> (&'static str, Value) {
    match (ending.reason, &ending.cause) {
        (FinishReason::Length, _) if ending.usage.generated_tokens < max_tokens => {
            ("model_context_window_exceeded", Value::Null)
        }
        (FinishReason::Length, _) => ("max_tokens", Value::Null),
        (_, Some(StopCause::Text(text))) => ("stop_sequence", json!(text)),
        _ if has_calls => ("tool_use", Value::Null),
        _ => ("end_turn", Value::Null),
    }
}
