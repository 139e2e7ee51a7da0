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
use crate::routes::{Fields, Routes, about};

/// Its paths.
pub(crate) fn routes() -> Routes {
    let responses = || about("Answers, as items").body::<responses::ResponseFields>();
    let responses = |streams| {
        let about = responses().body::<SamplingFields>().body::<LimitFields>();
        let about = about.body::<ReasoningFields>();
        if streams {
            about.gives(RESPONSE).streams(EVENTS)
        } else {
            about.gives(&[("input_tokens", "integer")])
        }
    };
    Routes::default()
        .post(
            &["/v1/chat/completions", "/chat/completions"],
            chat::complete,
            chat::chat_about("Answers a conversation")
                .gives(REPLIES)
                .streams(EVENTS),
        )
        .post(
            &["/v1/completions"],
            completions::complete,
            about("Goes on from texts")
                .body::<completions::CompletionFields>()
                .body::<SamplingFields>()
                .body::<LimitFields>()
                .body::<FormatFields>()
                .gives(REPLIES)
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
            about("Texts as vectors")
                .body::<embeddings::EmbeddingFields>()
                .gives(VECTORS),
        )
        .get(
            &["/v1/models", "/models"],
            models::list,
            about("Models that can be asked for").gives(&[("object", "string"), ("data", "array")]),
        )
        .get(
            &["/v1/models/{*id}"],
            models::show,
            about("One of them").gives(MODEL),
        )
}

const EVENTS: &str = "text/event-stream";

const REPLIES: Fields = &[
    ("id", "string"),
    ("object", "string"),
    ("created", "integer"),
    ("model", "string"),
    ("choices", "array"),
    ("usage", "object"),
];

const RESPONSE: Fields = &[
    ("id", "string"),
    ("object", "string"),
    ("created_at", "integer"),
    ("status", "string"),
    ("model", "string"),
    ("output", "array"),
    ("usage", "object"),
];

const VECTORS: Fields = &[
    ("object", "string"),
    ("data", "array"),
    ("model", "string"),
    ("usage", "object"),
];

const MODEL: Fields = &[
    ("id", "string"),
    ("object", "string"),
    ("created", "integer"),
    ("owned_by", "string"),
    ("status", "object"),
];

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
