//! Streams of chats and completions, chunk by chunk.

use std::sync::Arc;

use async_stream::stream;
use axum::response::Response;
use ingle::dialogue::Delta;
use ingle::{Ending, Model, Part, TokenInfo};
use serde_json::{Value, json};

use super::{Timings, fingerprint, finish_reason, logprobs, usage};
use crate::error::{ApiError, Dialect};
use crate::fields::LimitFields;
use crate::generate::{Merged, Prompted};
use crate::registry::Named;
use crate::state::App;
use crate::{ids, sse};

/// What is the same in all chunks of a response.
pub(crate) struct Chunks {
    model: Model,
    limits: LimitFields,
    id: String,
    name: String,
    created: u64,
    is_chat: bool,
    with_logprobs: bool,
    /// What goes before the reply, of each prompt.
    echo: Vec<String>,
}

impl Chunks {
    pub(crate) fn chat(
        named: &Named,
        model: &Model,
        limits: &LimitFields,
        with_logprobs: bool,
    ) -> Self {
        Self {
            model: model.clone(),
            limits: limits.clone(),
            id: ids::new("chatcmpl-"),
            name: named.id.clone(),
            created: ids::unix_time(),
            is_chat: true,
            with_logprobs,
            echo: Vec::new(),
        }
    }

    pub(crate) fn completion(
        named: &Named,
        model: &Model,
        limits: &LimitFields,
        with_logprobs: bool,
        echo: Vec<String>,
    ) -> Self {
        Self {
            id: ids::new("cmpl-"),
            is_chat: false,
            echo,
            ..Self::chat(named, model, limits, with_logprobs)
        }
    }

    /// The events of all replies, as they come.
    pub(crate) fn respond(self, app: &Arc<App>, prompted: Vec<Prompted>) -> Response {
        let prompt_tokens: usize = prompted.iter().map(|prompted| prompted.prompt.len()).sum();
        let per_prompt = prompted
            .first()
            .map_or(1, |prompted| prompted.replies.len());
        let replies: Vec<_> = prompted
            .into_iter()
            .flat_map(|prompted| prompted.replies)
            .collect();
        let mut progress: Vec<Progress> = replies.iter().map(|_| Progress::default()).collect();
        let mut merged = Merged::new(replies);
        let events = stream! {
            for index in 0..progress.len() {
                if let Some(first) = self.first(index, per_prompt) {
                    yield sse::data(&first);
                }
            }
            while let Some((index, part)) = merged.next().await {
                match part {
                    Some(Ok(part)) => {
                        for chunk in self.part(index, part, &mut progress[index]) {
                            yield sse::data(&chunk);
                        }
                    }
                    Some(Err(error)) => {
                        yield sse::data(&error.body(Dialect::OpenAi));
                        return;
                    }
                    None => match merged.replies[index].ending() {
                        Some(ending) => yield sse::data(&self.last(index, ending, &progress[index])),
                        None => {
                            let error = ApiError::from(ingle::Error::WorkerGone);
                            yield sse::data(&error.body(Dialect::OpenAi));
                            return;
                        }
                    }
                }
            }
            if self.limits.include_usage() {
                let usages = merged.replies.iter().filter_map(|reply| reply.ending());
                let usages: Vec<_> = usages.map(|ending| &ending.usage).collect();
                let mut chunk = self.chunk(json!([]));
                chunk["usage"] = usage(prompt_tokens, &usages);
                chunk["timings"] = json!(usages.first().map(|usage| Timings::new(usage)));
                yield sse::data(&chunk);
            }
            yield sse::DONE;
        };
        sse::response(events, app.options.ping, sse::PING)
    }

    pub(super) fn chunk(&self, choices: Value) -> Value {
        let object = match self.is_chat {
            true => "chat.completion.chunk",
            false => "text_completion",
        };
        let mut chunk = json!({
            "id": self.id,
            "object": object,
            "created": self.created,
            "model": self.name,
            "system_fingerprint": fingerprint(),
            "choices": choices,
        });
        if self.limits.include_usage() {
            chunk["usage"] = Value::Null;
        }
        chunk
    }

    /// What comes before the first token.
    pub(super) fn first(&self, index: usize, per_prompt: usize) -> Option<Value> {
        if self.is_chat {
            let delta = json!({ "role": "assistant", "content": "" });
            let choice =
                json!({ "index": index, "delta": delta, "finish_reason": null, "logprobs": null });
            return Some(self.chunk(json!([choice])));
        }
        let text = self.echo.get(index / per_prompt)?;
        let choice =
            json!({ "index": index, "text": text, "finish_reason": null, "logprobs": null });
        Some(self.chunk(json!([choice])))
    }

    /// The chunks of a piece: one for each delta, and the tokens with the first of them.
    pub(super) fn part(&self, index: usize, part: Part, progress: &mut Progress) -> Vec<Value> {
        progress.pending.extend(part.tokens);
        let usage_now = part.usage;
        let mut chunks = Vec::new();
        for delta in part.deltas {
            let Some(field) = self.field(delta, progress) else {
                continue;
            };
            let key = if self.is_chat { "delta" } else { "text" };
            let choice = json!({
                "index": index,
                key: field,
                "finish_reason": null,
                "logprobs": self.logprobs(progress),
            });
            let mut chunk = self.chunk(json!([choice]));
            if self.limits.timings_per_token() {
                chunk["timings"] = json!(Timings::new(&usage_now));
            }
            if self.limits.continuous_usage() {
                chunk["usage"] = usage(usage_now.prompt_tokens, &[&usage_now]);
            }
            chunks.push(chunk);
        }
        chunks
    }

    fn field(&self, delta: Delta, progress: &mut Progress) -> Option<Value> {
        if !self.is_chat {
            return match delta {
                Delta::Content(text) => Some(json!(text)),
                _ => None,
            };
        }
        Some(match delta {
            Delta::Content(text) => json!({ "content": text }),
            Delta::Reasoning(text) => json!({ "reasoning_content": text }),
            Delta::ToolCallStart { index, id, name } => {
                progress.has_calls = true;
                let function = json!({ "name": name, "arguments": "" });
                json!({ "tool_calls": [{ "index": index, "id": id, "type": "function", "function": function }] })
            }
            Delta::ToolCallArguments {
                index,
                json_fragment,
            } => {
                json!({ "tool_calls": [{ "index": index, "function": { "arguments": json_fragment } }] })
            }
            Delta::ToolCallEnd { .. } => return None,
        })
    }

    /// Of the tokens since the last chunk.
    fn logprobs(&self, progress: &mut Progress) -> Value {
        let tokens = std::mem::take(&mut progress.pending);
        if !self.with_logprobs {
            return Value::Null;
        }
        let tokenizer = self.model.tokenizer();
        if self.is_chat {
            return logprobs::of_chat(tokenizer, &tokens);
        }
        let value = logprobs::of_completion(tokenizer, &tokens, progress.offset);
        let shown = tokens.iter().map(|token| {
            String::from_utf8_lossy(&tokenizer.token_bytes(token.id))
                .chars()
                .count()
        });
        progress.offset += shown.sum::<usize>();
        value
    }

    pub(super) fn last(&self, index: usize, ending: &Ending, progress: &Progress) -> Value {
        let reason = finish_reason(ending.reason, progress.has_calls);
        let (key, nothing) = match self.is_chat {
            true => ("delta", json!({})),
            false => ("text", json!("")),
        };
        let choice =
            json!({ "index": index, key: nothing, "finish_reason": reason, "logprobs": null });
        let mut chunk = self.chunk(json!([choice]));
        if !self.limits.include_usage() {
            chunk["timings"] = json!(Timings::new(&ending.usage));
        }
        chunk
    }
}

/// How far a reply is.
#[derive(Default)]
pub(super) struct Progress {
    has_calls: bool,
    /// Tokens that no chunk has told yet.
    pending: Vec<TokenInfo>,
    /// Characters of the tokens told.
    offset: usize,
}
