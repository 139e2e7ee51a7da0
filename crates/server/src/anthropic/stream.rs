//! Streams of events, in the order that Anthropic's clients rely on.
//!
//! ```text
//! message_start (content_block_start content_block_delta* content_block_stop)* message_delta message_stop
//! ```
//!
//! `message_start` comes with the first token, since then it is known what of the prompt was cached; `ping` says before
//! that somebody is at work.

use std::sync::Arc;

use async_stream::stream;
use axum::body::Bytes;
use axum::response::Response;
use serde_json::{Value, json};

use super::blocks::Blocks;
use super::messages::message;
use super::steps::Step;
use super::{stop_reason, usage};
use crate::error::{ApiError, Dialect};
use crate::generate::Reply;
use crate::guard::RequestId;
use crate::registry::Named;
use crate::sse;
use crate::state::App;

/// A sign of life.
const PING: Bytes = Bytes::from_static(b"event: ping\ndata: {\"type\": \"ping\"}\n\n");

/// A reply's events.
pub(crate) struct Events {
    model: String,
    max_tokens: usize,
    blocks: Blocks,
    id: RequestId,
    is_started: bool,
}

impl Events {
    pub(crate) fn new(named: &Named, max_tokens: usize, blocks: Blocks, id: RequestId) -> Self {
        Self {
            model: named.id.clone(),
            max_tokens,
            blocks,
            id,
            is_started: false,
        }
    }

    /// The events, as they come.
    pub(crate) fn respond(mut self, app: &Arc<App>, mut reply: Reply) -> Response {
        let events = stream! {
            while let Some(part) = reply.next().await {
                let part = match part {
                    Ok(part) => part,
                    Err(error) => {
                        yield self.error(&error);
                        return;
                    }
                };
                if let Some(event) = self.start(|| usage(&part.usage)) {
                    yield event;
                }
                for delta in part.deltas {
                    for step in self.blocks.push(delta) {
                        yield block(&step);
                    }
                }
            }
            let Some(ending) = reply.ending() else {
                yield self.error(&ingle::Error::WorkerGone.into());
                return;
            };
            if let Some(event) = self.start(|| usage(&ending.usage)) {
                yield event;
            }
            for step in self.blocks.finish() {
                yield block(&step);
            }
            let (reason, sequence) = stop_reason(ending, self.blocks.has_calls, self.max_tokens);
            yield event(&json!({
                "type": "message_delta",
                "delta": { "stop_reason": reason, "stop_sequence": sequence },
                "usage": usage(&ending.usage),
            }));
            yield event(&json!({ "type": "message_stop" }));
        };
        sse::response(events, app.options.ping, PING)
    }

    /// The first event, unless it has been.
    fn start(&mut self, usage: impl FnOnce() -> Value) -> Option<Bytes> {
        if std::mem::replace(&mut self.is_started, true) {
            return None;
        }
        let message = message(&self.model, usage());
        Some(event(
            &json!({ "type": "message_start", "message": message }),
        ))
    }

    fn error(&self, error: &ApiError) -> Bytes {
        let mut body = error.body(Dialect::Anthropic);
        body["request_id"] = json!(&*self.id.0);
        event(&body)
    }
}

fn block(step: &Step) -> Bytes {
    sse::named(step.name(), step)
}

/// An event has the name of its type.
fn event(value: &Value) -> Bytes {
    sse::named(value["type"].as_str().unwrap_or_default(), value)
}
