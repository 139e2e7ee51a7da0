//! Anthropic's dialect: `/v1/messages` and its `count_tokens`.
//!
//! Left out: what runs on Anthropic's machines (tools of the server, files, batches), images and documents.

mod blocks;
mod content;
mod messages;
mod stream;
mod tools;

use std::sync::Arc;

use axum::Router;
use axum::routing::post;
use ingle::{Ending, FinishReason, StopCause, Usage};
use serde_json::{Value, json};

use crate::state::App;

/// Its paths.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/v1/messages", post(messages::create))
        .route("/v1/messages/count_tokens", post(messages::count_tokens))
}

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
