//! Server-sent events, and other bodies that come in pieces.
//!
//! A piece goes out as soon as it is there. When nothing has come for a while a sign of life is sent, since proxies
//! cut connections that are silent. If the client goes, the body is dropped, and with it the replies in it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_core::Stream;
use serde::Serialize;
use tokio::time::{Instant, Sleep, sleep_until};

/// Bytes that most events have.
const ROOM: usize = 320;

/// The end of a stream, as OpenAI's clients expect it.
pub(crate) const DONE: Bytes = Bytes::from_static(b"data: [DONE]\n\n");

/// A sign of life that clients pass over.
pub(crate) const PING: Bytes = Bytes::from_static(b": ping\n\n");

/// An event without a name.
pub(crate) fn data(value: &impl Serialize) -> Bytes {
    written(&["data: "], value, "\n\n")
}

/// An event with a name.
pub(crate) fn named(name: &str, value: &impl Serialize) -> Bytes {
    written(&["event: ", name, "\ndata: "], value, "\n\n")
}

/// A line of JSON.
pub(crate) fn line(value: &impl Serialize) -> Bytes {
    written(&[], value, "\n")
}

fn written(start: &[&str], value: &impl Serialize, end: &str) -> Bytes {
    let mut text = Vec::with_capacity(ROOM);
    for part in start {
        text.extend_from_slice(part.as_bytes());
    }
    serde_json::to_writer(&mut text, value).expect("values of ours can be written");
    text.extend_from_slice(end.as_bytes());
    Bytes::from(text)
}

/// A response of events; `ping` is sent after `silence`.
pub(crate) fn response(
    events: impl Stream<Item = Bytes> + Send + 'static,
    silence: Duration,
    ping: Bytes,
) -> Response {
    let body = WithPings {
        events: Box::pin(events),
        sleep: Box::pin(sleep_until(Instant::now() + silence)),
        silence,
        ping,
    };
    let mut response = Body::from_stream(body).into_response();
    let headers = response.headers_mut();
    let fields = [
        (header::CONTENT_TYPE, "text/event-stream; charset=utf-8"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    for (name, value) in fields {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // Or nginx gathers events before it sends them on.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

struct WithPings {
    events: Pin<Box<dyn Stream<Item = Bytes> + Send>>,
    sleep: Pin<Box<Sleep>>,
    silence: Duration,
    ping: Bytes,
}

impl Stream for WithPings {
    type Item = Result<Bytes, std::convert::Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = match self.events.as_mut().poll_next(context) {
            Poll::Ready(next) => next,
            Poll::Pending => {
                std::task::ready!(self.sleep.as_mut().poll(context));
                Some(self.ping.clone())
            }
        };
        let wake = Instant::now() + self.silence;
        self.sleep.as_mut().reset(wake);
        Poll::Ready(next.map(Ok))
    }
}
