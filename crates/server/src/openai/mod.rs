//! OpenAI's dialect.

pub(crate) mod chat;
mod chunks;
pub(crate) mod completions;
mod logprobs;
pub(crate) mod messages;
pub(crate) mod models;
pub(crate) mod tools;
mod usage;

pub(crate) use usage::{Timings, usage};

use ingle::FinishReason;

/// What identifies this program in responses.
pub(crate) fn fingerprint() -> String {
    format!("ingle-{}", env!("CARGO_PKG_VERSION"))
}

/// Why a reply ended, in OpenAI's words.
pub(crate) fn finish_reason(reason: FinishReason, has_calls: bool) -> &'static str {
    match reason {
        FinishReason::Length => "length",
        _ if has_calls => "tool_calls",
        _ => "stop",
    }
}
