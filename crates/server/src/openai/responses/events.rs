//! Streams of responses, event by event.

use async_stream::stream;
use axum::body::Bytes;
use axum::response::Response;
use serde_json::Value;

use super::output::Output;
use crate::error::ApiError;
use crate::generate::Reply;
use crate::sse;
use crate::state::App;

/// The events of a reply, as they come.
pub(super) fn respond(app: &App, mut reply: Reply, mut output: Output) -> Response {
    let events = stream! {
        for kind in ["response.created", "response.in_progress"] {
            yield bytes(&output.about(kind));
        }
        while let Some(part) = reply.next().await {
            match part {
                Ok(part) => {
                    for event in output.part(part) {
                        yield bytes(&event);
                    }
                }
                Err(error) => {
                    yield bytes(&output.fail(error.message()));
                    return;
                }
            }
        }
        match reply.ending() {
            Some(ending) => {
                for event in output.end(ending) {
                    yield bytes(&event);
                }
            }
            None => {
                let error = ApiError::from(ingle::Error::WorkerGone);
                yield bytes(&output.fail(error.message()));
            }
        }
    };
    sse::response(events, app.options.ping, sse::PING)
}

/// An event, under the name of its type.
fn bytes(event: &Value) -> Bytes {
    sse::named(event["type"].as_str().unwrap_or_default(), event)
}
