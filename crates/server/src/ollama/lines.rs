//! Replies as lines: pieces of it, then one that says how it ended.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use async_stream::stream;
use axum::Json;
use axum::response::{IntoResponse, Response};
use ingle::dialogue::Delta;
use ingle::{Ending, FinishReason, Model, Part, TokenInfo};
use serde_json::{Value, json};

use super::respond;
use crate::error::{ApiError, Dialect, Outcome};
use crate::generate::{Prompted, Reply};
use crate::time;

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
                        yield error.body(Dialect::Ollama);
                        return;
                    }
                };
                for piece in self.pieces(part) {
                    yield self.line(piece);
                }
            }
            match reply.ending() {
                Some(ending) => {
                    let rest = Piece { tokens: std::mem::take(&mut self.state.pending), ..Piece::default() };
                    let mut last = self.line(rest);
                    self.end(&mut last, ending);
                    yield last;
                }
                None => yield ApiError::from(ingle::Error::WorkerGone).body(Dialect::Ollama),
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
        let mut line = self.line(whole);
        self.end(&mut line, ending);
        Ok(Json(line).into_response())
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

    fn line(&self, piece: Piece) -> Value {
        let mut line = json!({ "model": self.name, "created_at": time::now(), "done": false });
        if self.is_chat {
            let mut message = json!({ "role": "assistant", "content": piece.content });
            if !piece.thinking.is_empty() {
                message["thinking"] = json!(piece.thinking);
            }
            if !piece.calls.is_empty() {
                message["tool_calls"] = json!(piece.calls);
            }
            line["message"] = message;
        } else {
            line["response"] = json!(piece.content);
            if !piece.thinking.is_empty() {
                line["thinking"] = json!(piece.thinking);
            }
        }
        if self.with_logprobs && !piece.tokens.is_empty() {
            line["logprobs"] = piece
                .tokens
                .iter()
                .map(|token| self.logprob(token))
                .collect();
        }
        line
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

    /// Says how the reply ended.
    fn end(&self, line: &mut Value, ending: &Ending) {
        let usage = &ending.usage;
        line["done"] = json!(true);
        line["done_reason"] = json!(match ending.reason {
            FinishReason::Length => "length",
            _ => "stop",
        });
        let fields = [
            ("total_duration", nanos(self.started.elapsed())),
            ("load_duration", nanos(self.load)),
            ("prompt_eval_count", json!(usage.prompt_tokens)),
            ("prompt_eval_duration", nanos(usage.prompt_time)),
            ("eval_count", json!(usage.generated_tokens)),
            ("eval_duration", nanos(usage.generation_time)),
        ];
        for (name, value) in fields {
            line[name] = value;
        }
        if self.with_context {
            line["context"] = json!(self.context(ending));
        }
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

pub(super) fn nanos(time: Duration) -> Value {
    json!(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
}
