//! Chats whose tools the server calls itself: those of MCP servers that it was started with.
//!
//! They stand beside the client's own. While a reply calls nothing else, the server makes the calls, adds what came of
//! them to the conversation, and asks the model again, for a bounded number of rounds; the client sees one reply, with
//! what was done in `mcp_calls`. A reply that calls a tool of the client's ends there: its calls are handed out, and
//! none of ours is made.

use std::sync::Arc;

use async_stream::stream;
use axum::Json;
use axum::response::{IntoResponse, Response};
use ingle::dialogue::{Delta, Tool, ToolCall, ToolChoice};
use ingle::{Answer, AnswerBuilder, Message, Model, Part, Usage};
use serde_json::{Value, json};

use super::chat::{Asked, Chat, choice};
use super::chunks::{Chunks, Progress};
use super::{FINGERPRINT, Timings, usage};
use crate::error::{ApiError, Dialect, Outcome};
use crate::generate::{self, Reply, Whole};
use crate::registry::Named;
use crate::state::App;
use crate::{ids, sse};

/// Replies that may call our tools; the one after them is offered none.
const MAX_ROUNDS: usize = 8;

/// A chat, round by round.
struct Rounds {
    app: Arc<App>,
    clients: Arc<mcp::Clients>,
    named: Named,
    model: Model,
    chat: Chat,
    asked: Asked,
    /// Our tools, but for those that the client has one of the same name of.
    ours: Vec<Tool>,
    num_rounds: usize,
    prompt_tokens: usize,
    usages: Vec<Usage>,
    /// What was called, for the client.
    calls: Vec<Value>,
}

/// `POST /v1/chat/completions`, with our tools.
pub(super) async fn complete(app: Arc<App>, mut chat: Chat) -> Outcome<Response> {
    if chat.limits.num_choices() != 1 {
        return Err(ApiError::field("n", "`n`: with `mcp` there is one reply"));
    }
    let Some(clients) = app.options.mcp.clone() else {
        return Err(ApiError::field("mcp", "`mcp`: there are no MCP servers"));
    };
    let (named, model) = generate::model(&app, chat.fields.model.as_deref()).await?;
    let asked = chat.asked()?;
    let is_free = |tool: &&mcp::Tool| asked.tools.iter().all(|own| own.name != tool.name);
    let ours = clients.tools().iter().filter(is_free);
    let ours = ours.map(|tool| Tool::new(&tool.name, &tool.description, tool.parameters.clone()));
    let mut rounds = Rounds {
        ours: ours.collect(),
        app,
        clients,
        named,
        model,
        chat,
        asked,
        num_rounds: 0,
        prompt_tokens: 0,
        usages: Vec::new(),
        calls: Vec::new(),
    };
    let first = rounds.begin().await?;
    match rounds.chat.limits.streams() {
        true => Ok(rounds.stream(first)),
        false => rounds.whole(first).await,
    }
}

impl Rounds {
    async fn begin(&mut self) -> Outcome<Reply> {
        let mut asked = self.asked.clone();
        if self.num_rounds < MAX_ROUNDS {
            asked.tools.extend(self.ours.iter().cloned());
        }
        let request = self.chat.round(&self.app, &self.model, asked)?;
        let begun = generate::begin(&self.app, &self.named, vec![request], 1).await;
        let begun = begun.map_err(|error| error.of_form(Some(self.chat.form())))?;
        let prompted = begun.into_iter().next();
        let reply = prompted.and_then(|mut prompted| {
            self.prompt_tokens += prompted.prompt.len();
            prompted.replies.pop()
        });
        reply.ok_or_else(|| ingle::Error::WorkerGone.into())
    }

    fn is_ours(&self, name: &str) -> bool {
        self.ours.iter().any(|tool| tool.name == name)
    }

    /// Makes the calls of a reply, if it has ours alone; whether there is another round.
    async fn call(&mut self, answer: &Answer) -> bool {
        let calls = &answer.tool_calls;
        if calls.is_empty() || !calls.iter().all(|call| self.is_ours(&call.name)) {
            return false;
        }
        let turns = &mut self.asked.conversation;
        turns.push(Message::calls(answer.content.clone(), calls.clone()));
        for call in calls {
            let (text, is_error) = called(&self.clients, call).await;
            turns.push(Message::tool(call, text.clone()));
            self.calls.push(json!({
                "name": call.name,
                "arguments": call.arguments,
                "result": text,
                "is_error": is_error,
            }));
        }
        // What was asked for has been done: from now on the model decides, or it would call for ever.
        (self.asked.choice, self.asked.continues) = (ToolChoice::Auto, false);
        self.num_rounds += 1;
        true
    }

    async fn whole(mut self, first: Reply) -> Outcome<Response> {
        let mut reply = first;
        let mut whole = loop {
            let whole: Whole = reply.whole().await?;
            self.usages.push(whole.ending.usage);
            if !self.call(&whole.answer).await {
                break whole;
            }
            reply = self.begin().await?;
        };
        let calls = std::mem::take(&mut whole.answer.tool_calls).into_iter();
        let texts = std::mem::take(&mut whole.call_texts);
        let is_shown = |(call, _): &(ToolCall, String)| !self.is_ours(&call.name);
        (whole.answer.tool_calls, whole.call_texts) = calls.zip(texts).filter(is_shown).unzip();
        let mut choice = choice(&self.model, 0, &whole, self.chat.with_logprobs());
        choice["message"]["mcp_calls"] = json!(self.calls);
        let usages: Vec<_> = self.usages.iter().collect();
        let body = json!({
            "id": ids::new("chatcmpl-"),
            "object": "chat.completion",
            "created": ids::unix_time(),
            "model": self.named.id,
            "system_fingerprint": FINGERPRINT,
            "choices": [choice],
            "usage": usage(self.prompt_tokens, &usages, 1),
            "timings": usages.last().map(|usage| Timings::new(usage)),
        });
        Ok(Json(body).into_response())
    }

    fn stream(mut self, first: Reply) -> Response {
        let ping = self.app.options.ping;
        let chunks = Chunks::chat(
            &self.named,
            &self.model,
            &self.chat.limits,
            self.chat.with_logprobs(),
        );
        let events = stream! {
            let mut reply = first;
            let mut progress = Progress::default();
            if let Some(first) = chunks.first(0) {
                yield first;
            }
            loop {
                let (mut answer, mut hidden) = (AnswerBuilder::default(), Hidden::default());
                while let Some(part) = reply.next().await {
                    let mut part: Part = match part {
                        Ok(part) => part,
                        Err(error) => {
                            yield sse::data(&error.body(Dialect::OpenAi));
                            return;
                        }
                    };
                    part.deltas.iter().cloned().for_each(|delta| answer.add(delta));
                    let deltas = std::mem::take(&mut part.deltas).into_iter();
                    part.deltas = deltas.filter_map(|delta| hidden.shown(delta, |name| self.is_ours(name))).collect();
                    for chunk in chunks.part(0, part, &mut progress) {
                        yield chunk;
                    }
                }
                let Some(ending) = reply.ending().cloned() else {
                    let error = ApiError::from(ingle::Error::WorkerGone);
                    yield sse::data(&error.body(Dialect::OpenAi));
                    return;
                };
                self.usages.push(ending.usage);
                let num_before = self.calls.len();
                if !self.call(&answer.finish(ending.clone())).await {
                    yield chunks.last(0, &ending, &mut progress);
                    break;
                }
                yield chunks.called(&self.calls[num_before..]);
                reply = match self.begin().await {
                    Ok(reply) => reply,
                    Err(error) => {
                        yield sse::data(&error.body(Dialect::OpenAi));
                        return;
                    }
                };
            }
            if self.chat.limits.include_usage() {
                let usages: Vec<_> = self.usages.iter().collect();
                yield chunks.usage(self.prompt_tokens, &usages, 1, usages.last().copied());
            }
            yield sse::DONE;
        };
        sse::response(events, ping, sse::PING)
    }
}

/// What came of a call, and whether it failed.
async fn called(clients: &mcp::Clients, call: &ToolCall) -> (String, bool) {
    match clients.call(&call.name, &call.arguments).await {
        Ok(text) => (text, false),
        Err(error) => (format!("error: {error}"), true),
    }
}

/// Keeps our calls from the client, and counts its own without gaps.
#[derive(Default)]
struct Hidden {
    /// Of each call of the reply: its number for the client, if it is the client's.
    numbers: Vec<Option<usize>>,
    num_shown: usize,
}

impl Hidden {
    fn shown(&mut self, delta: Delta, is_ours: impl Fn(&str) -> bool) -> Option<Delta> {
        match delta {
            Delta::ToolCallStart { index, id, name } => {
                let number = (!is_ours(&name)).then_some(self.num_shown);
                self.num_shown += usize::from(number.is_some());
                if self.numbers.len() <= index {
                    self.numbers.resize(index + 1, None);
                }
                self.numbers[index] = number;
                number.map(|index| Delta::ToolCallStart { index, id, name })
            }
            Delta::ToolCallArguments {
                index,
                json_fragment,
            } => {
                let index = self.numbers.get(index).copied().flatten()?;
                Some(Delta::ToolCallArguments {
                    index,
                    json_fragment,
                })
            }
            Delta::ToolCallEnd { index } => {
                let index = self.numbers.get(index).copied().flatten()?;
                Some(Delta::ToolCallEnd { index })
            }
            other => Some(other),
        }
    }
}
