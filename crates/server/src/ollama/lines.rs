//! Replies as lines: pieces of it, then one that says how it ended.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use async_stream::stream;
use axum::Json;
use axum::response::{IntoResponse, Response};
use ingle::dialogue::Delta;
use ingle::{Ending, Model, Part, TokenInfo};
use serde_json::{Value, json};

use super::line::{End, Line, Said, Turn};
use super::respond;
use crate::error::{ApiError, Dialect, Outcome};
use crate::generate::{Prompted, Reply};
use crate::{sse, time};

/// What is the same in all lines of a reply, and how far it is.
pub(super) struct Lines {
    pub(super) name: String,
    pub(super) model: Model,
    /// A message of a chat, or text of a completion.
    pub(super) is_chat: bool,
    pub(super) with_logprobs: bool,
    /// Whether the last line has the tokens to go on from.
    pub(super) with_context: bool,
    pub(super) started: Instant,
    /// How long the model was being loaded.
    pub(super) load: Duration,
    pub(super) state: State,
}

#[derive(Default)]
pub(super) struct State {
    prompt: Vec<u32>,
    /// Calls that have begun: id, name and arguments.
    calls: HashMap<usize, (String, String, String)>,
    num_calls: usize,
    /// All text, for the context.
    text: String,
    /// Tokens that no line has told yet.
    pending: Vec<TokenInfo>,
}

/// Some of a reply.
#[derive(Default)]
struct Piece {
    content: String,
    thinking: String,
    calls: Vec<Value>,
    tokens: Vec<TokenInfo>,
}

impl Lines {
    /// The reply, line by line or as one.
    ///
    /// # Errors
    /// If a reply that is sent as one fails under way.
    pub(super) async fn respond(mut self, prompted: Prompted, streams: bool) -> Outcome<Response> {
        self.state.prompt = prompted.prompt;
        let mut replies = prompted.replies;
        let reply = replies.remove(0);
        match streams {
            true => Ok(self.stream(reply)),
            false => self.whole(reply).await,
        }
    }

    fn stream(mut self, mut reply: Reply) -> Response {
        respond(stream! {
            while let Some(part) = reply.next().await {
                let part = match part {
                    Ok(part) => part,
                    Err(error) => {
                        yield sse::line(&error.body(Dialect::Ollama));
                        return;
                    }
                };
                for piece in self.pieces(part) {
                    yield sse::line(&self.line(&piece, None));
                }
            }
            match reply.ending() {
                Some(ending) => {
                    let rest = Piece { tokens: std::mem::take(&mut self.state.pending), ..Piece::default() };
                    yield sse::line(&self.line(&rest, Some(ending)));
                }
                None => {
                    let error = ApiError::from(ingle::Error::WorkerGone);
                    yield sse::line(&error.body(Dialect::Ollama));
                }
            }
        })
    }

    async fn whole(mut self, mut reply: Reply) -> Outcome<Response> {
        let mut whole = Piece::default();
        while let Some(part) = reply.next().await {
            for piece in self.pieces(part?) {
                whole.content += &piece.content;
                whole.thinking += &piece.thinking;
                whole.calls.extend(piece.calls);
                whole.tokens.extend(piece.tokens);
            }
        }
        whole.tokens.append(&mut self.state.pending);
        let ending = reply.ending().ok_or(ingle::Error::WorkerGone)?;
        Ok(Json(self.line(&whole, Some(ending))).into_response())
    }

    /// What a part adds: a piece for each delta, the tokens with the first of them.
    fn pieces(&mut self, part: Part) -> Vec<Piece> {
        let state = &mut self.state;
        state.pending.extend(part.tokens);
        let mut pieces = Vec::new();
        for delta in part.deltas {
            let mut piece = Piece::default();
            match delta {
                Delta::Content(text) => {
                    state.text += &text;
                    piece.content = text;
                }
                Delta::Reasoning(text) => piece.thinking = text,
                Delta::ToolCallStart { index, id, name } => {
                    state.calls.insert(index, (id, name, String::new()));
                    continue;
                }
                Delta::ToolCallArguments {
                    index,
                    json_fragment,
                } => {
                    if let Some((_, _, arguments)) = state.calls.get_mut(&index) {
                        arguments.push_str(&json_fragment);
                    }
                    continue;
                }
                Delta::ToolCallEnd { index } => match state.calls.remove(&index) {
                    Some(call) => piece.call(call, &mut state.num_calls),
                    None => continue,
                },
            }
            piece.tokens = std::mem::take(&mut state.pending);
            pieces.push(piece);
        }
        pieces
    }

    /// A piece as a line; the last says how the reply ended.
    fn line<'a>(&'a self, piece: &'a Piece, ending: Option<&Ending>) -> Line<'a> {
        let (content, thinking) = (&piece.content, &piece.thinking);
        let said = match self.is_chat {
            true => Said::Chat {
                message: Turn {
                    role: "assistant",
                    content,
                    thinking,
                    tool_calls: &piece.calls,
                },
            },
            false => Said::Completion {
                response: content,
                thinking,
            },
        };
        let logprobs = || piece.tokens.iter().map(|token| self.logprob(token));
        Line {
            model: &self.name,
            created_at: time::now(),
            done: ending.is_some(),
            said,
            logprobs: (self.with_logprobs && !piece.tokens.is_empty())
                .then(|| logprobs().collect()),
            end: ending.map(|ending| self.end(ending)),
        }
    }

    fn logprob(&self, token: &TokenInfo) -> Value {
        let entry = |id: u32, logprob: f32| {
            let bytes = self.model.tokenizer().token_bytes(id);
            let text = String::from_utf8_lossy(&bytes);
            // JSON has no infinity.
            json!({ "token": text, "bytes": bytes, "logprob": logprob.max(-9999.0) })
        };
        let mut value = entry(token.id, token.logprob.unwrap_or(0.0));
        if !token.top_logprobs.is_empty() {
            let top = token.top_logprobs.iter();
            value["top_logprobs"] = top.map(|&(id, logprob)| entry(id, logprob)).collect();
        }
        value
    }

    fn end(&self, ending: &Ending) -> End {
        let context = self.with_context.then(|| self.context(ending));
        End::new(ending, self.started.elapsed(), self.load, context)
    }

    /// The exchange in tokens, with the one that ended it.
    fn context(&self, ending: &Ending) -> Vec<u32> {
        let mut tokens = self.state.prompt.clone();
        let text = self
            .model
            .tokenizer()
            .encode(&self.state.text, false, false);
        tokens.extend(text);
        if let Some(ingle::StopCause::Token(id)) = ending.cause {
            tokens.push(id);
        }
        tokens
    }
}

impl Piece {
    /// A call that is whole; what broke off is text, since arguments are an object.
    fn call(&mut self, (id, name, text): (String, String, String), num_calls: &mut usize) {
        let text = if text.trim().is_empty() {
            "{}".to_owned()
        } else {
            text
        };
        match serde_json::from_str::<Value>(&text) {
            Ok(arguments @ Value::Object(_)) => {
                let function = json!({ "index": *num_calls, "name": name, "arguments": arguments });
                self.calls.push(json!({ "id": id, "function": function }));
                *num_calls += 1;
            }
            _ => self.content = text,
        }
    }
}
