//! Streams of responses, event by event.

use async_stream::stream;
use axum::body::Bytes;
use axum::response::Response;
use serde::Serialize;
use serde_json::Value;

use super::output::Output;
use crate::error::ApiError;
use crate::generate::Reply;
use crate::sse;
use crate::state::App;

/// Events as they are written, numbered; those of a reply that is sent as a whole are not written at all.
pub(super) struct Events {
    streams: bool,
    written: Vec<Bytes>,
    next: u64,
}

#[derive(Serialize)]
struct Event<'a, F> {
    #[serde(rename = "type")]
    kind: &'a str,
    sequence_number: u64,
    #[serde(flatten)]
    fields: &'a F,
}

/// More of an item. There is one for every token of every stream, so it is written from borrowed fields, without a tree
/// of values in between.
#[derive(Serialize)]
pub(super) struct More<'a> {
    pub(super) item_id: &'a str,
    pub(super) output_index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_index: Option<usize>,
    pub(super) delta: &'a str,
    /// A list, of texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) logprobs: Option<Value>,
}

impl Events {
    pub(super) fn new(streams: bool) -> Self {
        Self {
            streams,
            written: Vec::new(),
            next: 0,
        }
    }

    /// One more, under the name of its type.
    pub(super) fn push(&mut self, kind: &str, fields: &impl Serialize) {
        if self.streams {
            let event = Event {
                kind,
                sequence_number: self.next,
                fields,
            };
            self.written.push(sse::named(kind, &event));
            self.next += 1;
        }
    }

    /// Those since the last time.
    pub(super) fn take(&mut self) -> Vec<Bytes> {
        std::mem::take(&mut self.written)
    }
}

/// The events of a reply, as they come.
pub(super) fn respond(app: &App, mut reply: Reply, mut output: Output) -> Response {
    let events = stream! {
        for event in output.start() {
            yield event;
        }
        while let Some(part) = reply.next().await {
            match part {
                Ok(part) => {
                    for event in output.part(part) {
                        yield event;
                    }
                }
                Err(error) => {
                    for event in output.fail(error.message()) {
                        yield event;
                    }
                    return;
                }
            }
        }
        let last = match reply.ending() {
            Some(ending) => output.end(ending),
            None => output.fail(ApiError::from(ingle::Error::WorkerGone).message()),
        };
        for event in last {
            yield event;
        }
    };
    sse::response(events, app.options.ping, sse::PING)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn events_are_numbered_and_have_the_fields_of_openai_in_their_order() {
        let more = More {
            item_id: "msg_1",
            output_index: 2,
            content_index: Some(0),
            delta: "a\n",
            logprobs: Some(json!([])),
        };
        let of_call = More {
            content_index: None,
            logprobs: None,
            ..more
        };
        let mut events = Events::new(true);
        events.push("response.created", &json!({ "response": {} }));
        events.push("some.delta", &more);
        events.push("other.delta", &of_call);
        let written = [
            r#"{"type":"response.created","sequence_number":0,"response":{}}"#,
            r#"{"type":"some.delta","sequence_number":1,"item_id":"msg_1","output_index":2,"content_index":0,"delta":"a\n","logprobs":[]}"#,
            r#"{"type":"other.delta","sequence_number":2,"item_id":"msg_1","output_index":2,"delta":"a\n"}"#,
        ];
        let names = ["response.created", "some.delta", "other.delta"];
        let expected = names.iter().zip(written);
        let expected = expected.map(|(name, text)| format!("event: {name}\ndata: {text}\n\n"));
        assert_eq!(events.take(), expected.map(Bytes::from).collect::<Vec<_>>());
        assert!(events.take().is_empty());
        let mut none = Events::new(false);
        none.push("some.delta", &more);
        assert!(none.take().is_empty(), "nobody reads them");
    }
}
