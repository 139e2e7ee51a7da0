//! Streamable HTTP over `ureq`, which is here anyway: a thread for each response under way.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use futures_core::stream::BoxStream;
use rmcp::model::ClientJsonRpcMessage;
use rmcp::transport::streamable_http_client::{
    SseError, StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse,
};
use sse_stream::{Sse, SseStream};
use tokio::sync::mpsc;
use ureq::http::{HeaderName, HeaderValue, Response};
use ureq::{Agent, Body};

/// Bytes of a response.
const MAX_BYTES: u64 = 16 << 20;
const CONNECT: Duration = Duration::from_secs(10);

/// Speaks with a server.
#[derive(Clone)]
pub(crate) struct HttpClient {
    agent: Agent,
    headers: Vec<(HeaderName, HeaderValue)>,
}

type Failure = StreamableHttpError<ureq::Error>;

impl HttpClient {
    /// With headers for every request.
    ///
    /// # Errors
    /// If one of them is none.
    pub(crate) fn new(headers: &BTreeMap<String, String>) -> Result<Self, String> {
        let header = |(name, value): (&String, &String)| {
            let wrong = || format!("`headers`: `{name}` is no header");
            let value = HeaderValue::from_str(value).map_err(|_| wrong())?;
            Ok((
                HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?,
                value,
            ))
        };
        let config = Agent::config_builder()
            .timeout_connect(Some(CONNECT))
            .http_status_as_error(false);
        Ok(Self {
            agent: config.build().new_agent(),
            headers: headers.iter().map(header).collect::<Result<_, String>>()?,
        })
    }

    fn with_headers<B>(
        &self,
        mut request: ureq::RequestBuilder<B>,
        session: Option<&str>,
        auth: Option<&str>,
        custom: &HashMap<HeaderName, HeaderValue>,
    ) -> ureq::RequestBuilder<B> {
        let ours = self.headers.iter().map(|(name, value)| (name, value));
        for (name, value) in ours.chain(custom) {
            request = request.header(name, value);
        }
        if let Some(session) = session {
            request = request.header("mcp-session-id", session);
        }
        match auth {
            Some(auth) => request.header("authorization", format!("Bearer {auth}")),
            None => request,
        }
    }
}

impl StreamableHttpClient for HttpClient {
    type Error = ureq::Error;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<StreamableHttpPostResponse, Failure> {
        let (client, body) = (self.clone(), serde_json::to_string(&message)?);
        let had_session = session_id.is_some();
        let post = move || {
            let request = client.agent.post(&*uri);
            let request = client.with_headers(
                request,
                session_id.as_deref(),
                auth_header.as_deref(),
                &custom_headers,
            );
            request
                .header("content-type", "application/json")
                .header("accept", "application/json, text/event-stream")
                .send(body)
        };
        let response = tokio::task::spawn_blocking(post)
            .await?
            .map_err(StreamableHttpError::Client)?;
        let status = response.status().as_u16();
        let header = |name: &str| {
            let value = response.headers().get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        let (kind, session) = (
            header("content-type").unwrap_or_default(),
            header("mcp-session-id"),
        );
        match status {
            202 | 204 => Ok(StreamableHttpPostResponse::Accepted),
            404 if had_session => Err(StreamableHttpError::SessionExpired),
            200..=299 if kind.starts_with("text/event-stream") => {
                Ok(StreamableHttpPostResponse::Sse(events(response), session))
            }
            // Errors of the protocol come with statuses of errors too.
            _ if kind.starts_with("application/json") => {
                let text = tokio::task::spawn_blocking(move || whole(response)).await??;
                let message = serde_json::from_str(&text)?;
                Ok(StreamableHttpPostResponse::Json(message, session))
            }
            200..=299 => Err(StreamableHttpError::UnexpectedContentType(Some(kind))),
            _ => Err(StreamableHttpError::UnexpectedServerResponse(
                format!("HTTP {status}").into(),
            )),
        }
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session_id: Arc<str>,
        auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<(), Failure> {
        let client = self.clone();
        let delete = move || {
            let request = client.agent.delete(&*uri);
            client
                .with_headers(
                    request,
                    Some(&session_id),
                    auth_header.as_deref(),
                    &custom_headers,
                )
                .call()
        };
        // A server that does not forget sessions forgets ours when it likes.
        tokio::task::spawn_blocking(delete)
            .await?
            .map_err(StreamableHttpError::Client)?;
        Ok(())
    }

    /// What a server would say on its own accord is not listened to.
    async fn get_stream(
        &self,
        _: Arc<str>,
        _: Option<Arc<str>>,
        _: Option<String>,
        _: Option<String>,
        _: HashMap<HeaderName, HeaderValue>,
    ) -> Result<BoxStream<'static, Result<Sse, SseError>>, Failure> {
        Err(StreamableHttpError::ServerDoesNotSupportSse)
    }
}

fn whole(response: Response<Body>) -> std::io::Result<String> {
    let mut text = String::new();
    let mut body = response.into_body().into_reader().take(MAX_BYTES);
    body.read_to_string(&mut text)?;
    Ok(text)
}

/// The events of a response. Its thread ends with it, or when nobody listens to the next piece.
fn events(response: Response<Body>) -> BoxStream<'static, Result<Sse, SseError>> {
    let (sender, receiver) = mpsc::channel(16);
    tokio::task::spawn_blocking(move || {
        let mut body = response.into_body().into_reader().take(MAX_BYTES);
        let mut buffer = vec![0; 8 << 10];
        loop {
            let piece = match body.read(&mut buffer) {
                Ok(0) => return,
                Ok(length) => Ok(Bytes::copy_from_slice(&buffer[..length])),
                Err(error) => Err(error),
            };
            let is_end = piece.is_err();
            if sender.blocking_send(piece).is_err() || is_end {
                return;
            }
        }
    });
    Box::pin(SseStream::from_bytes_stream(Pieces(receiver)))
}

/// Pieces as they come.
struct Pieces(mpsc::Receiver<std::io::Result<Bytes>>);

impl Stream for Pieces {
    type Item = std::io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context)
    }
}
