//! OpenAI's dialect.

pub(crate) mod chat;
mod chunk;
mod chunks;
pub(crate) mod completions;
pub(crate) mod embeddings;
pub(crate) mod logprobs;
mod mcp;
pub(crate) mod messages;
pub(crate) mod models;
pub(crate) mod responses;
pub(crate) mod tools;
mod usage;

pub(crate) use usage::{PromptProgress, Timings, usage};

use ingle::FinishReason;

use crate::fields::{FormatFields, LimitFields, ReasoningFields, SamplingFields};
use crate::routes::{Routes, about};

/// Its paths.
pub(crate) fn routes() -> Routes {
    let responses = || about("Answers, as items").body::<responses::ResponseFields>();
    let responses = |streams| {
        let about = responses().body::<SamplingFields>().body::<LimitFields>();
        let about = about.body::<ReasoningFields>();
        if streams {
            about.streams(EVENTS)
        } else {
            about
        }
    };
    Routes::default()
        .post(
            &["/v1/chat/completions", "/chat/completions"],
            chat::complete,
            chat::chat_about("Answers a conversation").streams(EVENTS),
        )
        .post(
            &["/v1/completions"],
            completions::complete,
            about("Goes on from texts")
                .body::<completions::CompletionFields>()
                .body::<SamplingFields>()
                .body::<LimitFields>()
                .body::<FormatFields>()
                .streams(EVENTS),
        )
        .post(
            &["/v1/responses", "/responses"],
            responses::create,
            responses(true),
        )
        .post(
            &["/v1/responses/input_tokens", "/responses/input_tokens"],
            responses::count,
            responses(false),
        )
        .post(
            &["/v1/embeddings"],
            embeddings::embeddings,
            about("Texts as vectors").body::<embeddings::EmbeddingFields>(),
        )
        .get(
            &["/v1/models", "/models"],
            models::list,
            about("Models that can be asked for"),
        )
        .get(&["/v1/models/{*id}"], models::show, about("One of them"))
}

const EVENTS: &str = "text/event-stream";

/// What identifies this program in responses.
pub(crate) const FINGERPRINT: &str = concat!("ingle-", env!("CARGO_PKG_VERSION"));

/// Why a reply ended, in OpenAI's words.
pub(crate) fn finish_reason(reason: FinishReason, has_calls: bool) -> &'static str {
    match reason {
        FinishReason::Length => "length",
        _ if has_calls => "tool_calls",
        _ => "stop",
    }
}
