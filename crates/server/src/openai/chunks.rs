//! Streams of chats and completions, chunk by chunk.

use std::sync::Arc;

use async_stream::stream;
use axum::body::Bytes;
use axum::response::Response;
use ingle::dialogue::Delta;
use ingle::{Ending, Model, Part, TokenInfo, Usage};
use serde_json::Value;

use super::chunk::{Choice, Chunk, Said, Turn};
use super::{FINGERPRINT, PromptProgress, Timings, finish_reason, logprobs, usage};
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
        }
    }

    pub(crate) fn completion(
        named: &Named,
        model: &Model,
        limits: &LimitFields,
        with_logprobs: bool,
    ) -> Self {
        Self {
            id: ids::new("cmpl-"),
            is_chat: false,
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
                if let Some(first) = self.first(index) {
                    yield first;
                }
            }
            while let Some((index, part)) = merged.next().await {
                match part {
                    Some(Ok(part)) => {
                        for chunk in self.part(index, part, &mut progress[index]) {
                            yield chunk;
                        }
                    }
                    Some(Err(error)) => {
                        yield sse::data(&error.body(Dialect::OpenAi));
                        return;
                    }
                    None => match merged.replies[index].ending() {
                        Some(ending) => yield self.last(index, ending, &mut progress[index]),
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
                yield self.usage(prompt_tokens, &usages, per_prompt, usages.first().copied());
            }
            yield sse::DONE;
        };
        sse::response(events, app.options.ping, sse::PING)
    }

    /// A chunk; if a usage is asked for it says that there will be one.
    fn chunk<'a>(&'a self, choices: &'a [Choice<'a>]) -> Chunk<'a> {
        Chunk {
            id: &self.id,
            object: match self.is_chat {
                true => "chat.completion.chunk",
                false => "text_completion",
            },
            created: self.created,
            model: &self.name,
            system_fingerprint: FINGERPRINT,
            choices,
            usage: self.limits.include_usage().then_some(Value::Null),
            timings: None,
            prompt_progress: None,
        }
    }

    /// What comes before the first token of a chat.
    pub(super) fn first(&self, index: usize) -> Option<Bytes> {
        let said = Said::Delta(Turn::first());
        self.is_chat
            .then(|| sse::data(&self.chunk(&[open(index, said)])))
    }

    /// The chunks of a piece: one for each delta, and the tokens with the first of them.
    pub(super) fn part(&self, index: usize, part: Part, progress: &mut Progress) -> Vec<Bytes> {
        progress.pending.extend(part.tokens);
        let usage_now = &part.usage;
        let mut chunks = Vec::with_capacity(part.deltas.len());
        for delta in &part.deltas {
            progress.has_calls |= matches!(delta, Delta::ToolCallStart { .. });
            let said = match (self.is_chat, delta) {
                (true, delta) => Turn::of(delta).map(Said::Delta),
                (false, Delta::Content(text)) => Some(Said::Text(text)),
                (false, _) => None,
            };
            let Some(said) = said else { continue };
            let choice = Choice {
                logprobs: self.logprobs(progress),
                ..open(index, said)
            };
            let choices = [choice];
            let mut chunk = self.chunk(&choices);
            if self.limits.timings_per_token() {
                chunk.timings = Some(Timings::new(usage_now));
            }
            if self.limits.continuous_usage() {
                chunk.usage = Some(usage(usage_now.prompt_tokens, &[usage_now], 1));
            }
            chunks.push(sse::data(&chunk));
        }
        if part.deltas.is_empty() && self.limits.tells_progress() {
            let prompt_progress = PromptProgress::of(usage_now);
            chunks.extend(prompt_progress.map(|progress| self.progress(index, progress)));
        }
        chunks
    }

    fn progress(&self, index: usize, progress: PromptProgress) -> Bytes {
        let choices = [open(index, self.nothing())];
        sse::data(&Chunk {
            prompt_progress: Some(progress),
            ..self.chunk(&choices)
        })
    }

    fn nothing(&self) -> Said<'static> {
        match self.is_chat {
            true => Said::Delta(Turn::default()),
            false => Said::Text(""),
        }
    }

    /// What the server has called.
    pub(super) fn called(&self, calls: &[Value]) -> Bytes {
        let said = Said::Delta(Turn::called(calls));
        sse::data(&self.chunk(&[open(0, said)]))
    }

    /// The counts of all replies, and the times of one.
    pub(super) fn usage(
        &self,
        prompt_tokens: usize,
        usages: &[&Usage],
        per_prompt: usize,
        timed: Option<&Usage>,
    ) -> Bytes {
        sse::data(&Chunk {
            usage: Some(usage(prompt_tokens, usages, per_prompt)),
            timings: timed.map(Timings::new),
            ..self.chunk(&[])
        })
    }

    /// Of the tokens since the last chunk.
    fn logprobs(&self, progress: &mut Progress) -> Option<Value> {
        let tokens = std::mem::take(&mut progress.pending);
        if !self.with_logprobs {
            return None;
        }
        let tokenizer = self.model.tokenizer();
        if self.is_chat {
            return Some(logprobs::of_chat(tokenizer, &tokens));
        }
        let value = logprobs::of_completion(tokenizer, &tokens, progress.offset);
        let shown = tokens.iter().map(|token| {
            String::from_utf8_lossy(&tokenizer.token_bytes(token.id))
                .chars()
                .count()
        });
        progress.offset += shown.sum::<usize>();
        Some(value)
    }

    /// The end of a reply, with the tokens that no text has come of: one that ended it, say.
    pub(super) fn last(&self, index: usize, ending: &Ending, progress: &mut Progress) -> Bytes {
        let has_more = !progress.pending.is_empty();
        let choices = [Choice {
            logprobs: has_more.then(|| self.logprobs(progress)).flatten(),
            finish_reason: Some(finish_reason(ending.reason, progress.has_calls)),
            ..open(index, self.nothing())
        }];
        let mut chunk = self.chunk(&choices);
        if !self.limits.include_usage() {
            chunk.timings = Some(Timings::new(&ending.usage));
        }
        sse::data(&chunk)
    }
}

/// More of a reply that goes on.
fn open(index: usize, said: Said<'_>) -> Choice<'_> {
    Choice {
        index,
        said,
        finish_reason: None,
        logprobs: None,
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
