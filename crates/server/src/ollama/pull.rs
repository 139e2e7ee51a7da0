//! `/api/pull`: fetches a model, and says how far it is.
//!
//! Names alone are fetched, from where this server's settings say; never an address that a request names.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use ingle::hub::{self, ModelRef, Phase, Progress, Report};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::models::{NameFields, hub_error};
use super::{names, respond};
use crate::body::Body;
use crate::error::{ApiError, Dialect, Kind, Outcome};
use crate::sse;
use crate::state::App;

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct PullFields {
    /// Whether progress is sent as it is made; it is, unless this is false.
    stream: Option<bool>,
}

/// Least time between two lines on the same file.
const PAUSE: Duration = Duration::from_millis(100);

/// Lines that a client may be behind.
const AHEAD: usize = 64;

/// `POST /api/pull`.
pub(super) async fn pull(State(app): State<Arc<App>>, mut body: Body) -> Outcome<Response> {
    let (name, fields): (NameFields, PullFields) = (body.read()?, body.read()?);
    body.refuse(&["insecure"], |_, value| *value == json!(false))?;
    body.end();
    app.accepts()?;
    let reference = names::reference(name.given()?)?;
    if app.registry.hub.config().offline {
        let message = "this server is offline: it fetches nothing";
        return Err(ApiError::new(Kind::Permission, message));
    }
    let mut lines = start(&app, reference)?;
    if fields.stream == Some(false) {
        let mut last = Ok(Value::Null);
        while let Some(line) = lines.recv().await {
            last = line;
        }
        return last.map(|line| Json(line).into_response());
    }
    Ok(respond(async_stream::stream! {
        while let Some(line) = lines.recv().await {
            yield sse::line(&line.unwrap_or_else(|error| error.body(Dialect::Ollama)));
        }
    }))
}

type Line = Outcome<Value>;

/// Fetches on a thread of its own; dropping the lines ends it, and what is there by then is resumed the next time.
fn start(app: &Arc<App>, reference: ModelRef) -> Outcome<mpsc::Receiver<Line>> {
    let places = app.queue.enter(1)?;
    let (sender, receiver) = mpsc::channel(AHEAD);
    let app = Arc::clone(app);
    tokio::task::spawn_blocking(move || {
        let mut lines = Lines {
            sender,
            file: String::new(),
            last: None,
        };
        match app.registry.hub.pull(&reference, &mut lines) {
            Ok(_) => {
                lines.send(json!({ "status": "writing manifest" }));
                lines.send(json!({ "status": "success" }));
            }
            Err(hub::Error::Cancelled) => {}
            Err(error) => {
                let _ = lines.sender.blocking_send(Err(hub_error(&error)));
            }
        }
        drop(places);
    });
    Ok(receiver)
}

/// Reports as lines.
struct Lines {
    sender: mpsc::Sender<Line>,
    /// What the last line was about.
    file: String,
    last: Option<Instant>,
}

impl Lines {
    fn send(&self, line: Value) {
        // Nobody reads any more: `cancelled` says so.
        let _ = self.sender.blocking_send(Ok(line));
    }

    /// Progress on a file. Clients draw a bar for each digest; a file's name serves as one.
    fn bytes(&mut self, report: &Report<'_>) {
        let is_new = self.file != report.file;
        let is_soon = self.last.is_some_and(|last| last.elapsed() < PAUSE);
        if is_soon && !is_new && report.phase != Phase::Done {
            return;
        }
        report.file.clone_into(&mut self.file);
        self.last = Some(Instant::now());
        let mut line = json!({
            "status": format!("pulling {}", report.file),
            "digest": report.file,
            "completed": report.done,
        });
        if let Some(total) = report.total {
            line["total"] = json!(total);
        }
        self.send(line);
    }
}

impl Progress for Lines {
    fn update(&mut self, report: &Report<'_>) {
        match report.phase {
            Phase::Listing => self.send(json!({ "status": "pulling manifest" })),
            Phase::Downloading(_) | Phase::Done => self.bytes(report),
            Phase::Verifying => self.send(json!({ "status": "verifying sha256 digest" })),
            Phase::Waiting => {
                self.send(json!({ "status": "waiting for another download of the same file" }));
            }
            Phase::Retrying {
                attempt, reason, ..
            } => {
                self.send(json!({ "status": format!("attempt {attempt}: {reason}") }));
            }
            Phase::Package(_) | Phase::Quantizing(_) => {}
        }
    }

    fn cancelled(&self) -> bool {
        self.sender.is_closed()
    }
}
