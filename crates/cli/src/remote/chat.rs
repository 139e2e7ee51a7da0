//! A reply of a server, piece by piece.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::mpsc::{self, RecvTimeoutError};

use ingle::Message;
use ingle::dialogue::Tool;
use serde_json::{Value, json};

use super::Remote;
use super::events::Events;
use super::fields::fields;
use crate::answer::{Answer, POLL};
use crate::cmd::run::Settings;
use crate::failure::Failure;
use crate::interrupt::Interrupt;

/// Longest line of a stream, in bytes.
const MAX_LINE: u64 = 16 << 20;

/// What is asked.
pub(crate) enum Asked<'a> {
    /// A conversation, and tools that may be called.
    Chat(&'a [Message], &'a [Tool]),
    /// A text to go on from.
    Text(&'a str),
}

/// Asks the server and hands each piece of text to `on_piece`; Ctrl-C ends the answer, and the connection with it.
///
/// # Errors
/// If the server cannot be reached, or says no, then or under way.
pub(crate) fn stream(
    remote: &Remote,
    asked: &Asked<'_>,
    settings: &Settings,
    seed: u64,
    interrupt: &Interrupt,
    on_piece: &mut dyn FnMut(&str) -> io::Result<()>,
) -> Result<Answer, Failure> {
    let _caught = interrupt.catch();
    let (path, mut body) = match asked {
        Asked::Chat(messages, tools) => {
            let tools: Vec<_> = tools.iter().map(Tool::to_template).collect();
            let body = json!({ "messages": messages, "tools": tools, "reasoning_format": "none" });
            ("/v1/chat/completions", body)
        }
        Asked::Text(prompt) => ("/v1/completions", json!({ "prompt": prompt })),
    };
    if let Value::Object(body) = &mut body {
        // Servers are not of one mind about lists of no tools.
        body.retain(|_, value| value.as_array().is_none_or(|list| !list.is_empty()));
        body.extend(fields(settings)?);
    }
    body["model"] = json!(remote.model);
    body["stream"] = json!(true);
    body["stream_options"] = json!({ "include_usage": true });
    body["seed"] = json!(seed);
    let (sender, receiver) = mpsc::sync_channel(64);
    let (reader, path) = (remote.clone(), path.to_owned());
    // Reading blocks, and Ctrl-C must not wait for it. The thread ends, and closes the connection, when it has
    // something that nobody takes any more.
    let read = move || {
        let taken = |event| sender.send(Ok(event)).is_ok();
        if let Err(failure) = read(&reader, &path, &body, &taken) {
            let _ = sender.send(Err(failure));
        }
    };
    std::thread::Builder::new()
        .name("ingle-read".into())
        .spawn(read)?;
    let mut events = Events::default();
    loop {
        if interrupt.caught() {
            return Ok(events.interrupted());
        }
        match receiver.recv_timeout(POLL) {
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return events.finish(),
            Ok(event) => {
                if let Some(piece) = events.take(&event?)? {
                    on_piece(&piece)?;
                }
            }
        }
    }
}

/// Reads the events of a reply up to its end, or until `taken` says no.
fn read(
    remote: &Remote,
    path: &str,
    body: &Value,
    taken: &dyn Fn(Value) -> bool,
) -> Result<(), Failure> {
    let response = remote.checked(remote.post(path, body))?;
    let mut lines = BufReader::new(response.into_body().into_reader());
    let mut line = String::new();
    loop {
        line.clear();
        let mut one = Read::take(&mut lines, MAX_LINE);
        let length = one.read_line(&mut line).map_err(|error| {
            Failure::new(format_args!(
                "the connection to {} broke: {error}",
                remote.address
            ))
        })?;
        if length == 0 {
            return Ok(());
        }
        let Some(data) = line.strip_prefix("data:").map(str::trim) else {
            continue;
        };
        if data == "[DONE]" {
            return Ok(());
        }
        let event = serde_json::from_str(data).map_err(|error| {
            Failure::new(format_args!(
                "{} sends an event that is no JSON: {error}",
                remote.address
            ))
        })?;
        if !taken(event) {
            return Ok(());
        }
    }
}
