//! What `/completion` answers: one object for each reply, or the same in events of a stream.

use std::borrow::Cow;
use std::time::Duration;

use async_stream::stream;
use axum::Json;
use axum::response::{IntoResponse, Response};
use ingle::dialogue::Delta;
use ingle::{Ending, FinishReason, Model, Part, StopCause, TokenInfo, Usage};
use serde::Serialize;
use serde_json::{Value, json};

use super::settings::only;
use crate::error::{ApiError, Dialect, Outcome};
use crate::generate::{Merged, Prompted};
use crate::openai::{PromptProgress, Timings, logprobs};
use crate::sse;

/// What all answers to a request have in common.
pub(super) struct Answers {
    pub(super) model: Model,
    pub(super) name: String,
    pub(super) settings: Value,
    /// Each prompt as the model sees it.
    pub(super) prompts: Vec<String>,
    pub(super) per_prompt: usize,
    pub(super) with_tokens: bool,
    pub(super) with_probs: bool,
    /// Whether they are those that tokens were drawn by.
    pub(super) after_sampling: bool,
    pub(super) with_timings: bool,
    pub(super) with_progress: bool,
    /// Paths of the fields that are wanted; none: all.
    pub(super) only: Vec<String>,
    /// Some of the prompt had no room.
    pub(super) is_cut: bool,
}

/// One event of a stream. There is one for every token of every stream, so it is written from borrowed fields, without
/// a tree of values in between.
#[derive(Serialize)]
struct Piece<'a> {
    index: usize,
    content: Cow<'a, str>,
    tokens: Vec<u32>,
    stop: bool,
    id_slot: i64,
    tokens_predicted: usize,
    tokens_evaluated: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    timings: Option<Timings>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_progress: Option<PromptProgress>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completion_probabilities: Option<Value>,
}

/// What a reply has come to.
#[derive(Default)]
struct Told {
    text: String,
    tokens: Vec<TokenInfo>,
    has_line: bool,
}

impl Answers {
    /// One object, or a list if there are several replies.
    ///
    /// # Errors
    /// If a reply fails under way.
    pub(super) async fn whole(self, begun: Vec<Prompted>) -> Outcome<Response> {
        let mut answers = Vec::new();
        for mut reply in begun.into_iter().flat_map(|prompted| prompted.replies) {
            let mut told = Told::default();
            while let Some(part) = reply.next().await {
                let part = part?;
                told.text += &text(&part);
                told.tokens.extend(part.tokens);
            }
            told.has_line = told.text.contains('\n');
            let ending = reply
                .ending()
                .cloned()
                .ok_or(ApiError::from(ingle::Error::WorkerGone))?;
            answers.push(self.last(answers.len(), reply.slot(), &ending, told));
        }
        let body = match answers.len() {
            1 => answers.remove(0),
            _ => Value::Array(answers),
        };
        Ok(Json(body).into_response())
    }

    /// The events of all replies, as they come.
    pub(super) fn stream(self, begun: Vec<Prompted>, silence: Duration) -> Response {
        let replies: Vec<_> = begun
            .into_iter()
            .flat_map(|prompted| prompted.replies)
            .collect();
        let mut has_line = vec![false; replies.len()];
        let mut merged = Merged::new(replies);
        let events = stream! {
            while let Some((index, part)) = merged.next().await {
                let reply = &merged.replies[index];
                match part {
                    Some(Ok(part)) => {
                        let event = self.part(index, reply.slot(), &part);
                        has_line[index] |= event.content.contains('\n');
                        yield sse::data(&event);
                    }
                    Some(Err(error)) => {
                        yield sse::data(&error.body(Dialect::LlamaCpp));
                        return;
                    }
                    None => {
                        let Some(ending) = reply.ending() else {
                            let error = ApiError::from(ingle::Error::WorkerGone);
                            yield sse::data(&error.body(Dialect::LlamaCpp));
                            return;
                        };
                        let told = Told { has_line: has_line[index], ..Told::default() };
                        yield sse::data(&self.last(index, reply.slot(), ending, told));
                    }
                }
            }
        };
        sse::response(events, silence, sse::PING)
    }

    fn part<'a>(&self, index: usize, slot: i64, part: &'a Part) -> Piece<'a> {
        let usage = &part.usage;
        let progress = self.with_progress.then(|| PromptProgress::of(usage));
        let has_probs = self.with_probs && !part.tokens.is_empty();
        Piece {
            index,
            content: text(part),
            tokens: self.ids(&part.tokens),
            stop: false,
            id_slot: slot,
            tokens_predicted: usage.generated_tokens,
            tokens_evaluated: usage.prompt_tokens,
            timings: self.with_timings.then(|| Timings::new(usage)),
            prompt_progress: progress.flatten(),
            completion_probabilities: has_probs.then(|| self.probs(&part.tokens)),
        }
    }

    /// The whole reply; at the end of a stream without what has been told.
    fn last(&self, index: usize, slot: i64, ending: &Ending, told: Told) -> Value {
        let (stop_type, word) = self.stop(ending);
        let usage = &ending.usage;
        let mut answer = json!({
            "index": index,
            "content": told.text,
            "tokens": self.ids(&told.tokens),
            "id_slot": slot,
            "stop": true,
            "model": self.name,
            "tokens_predicted": usage.generated_tokens,
            "tokens_evaluated": usage.prompt_tokens,
            "generation_settings": self.settings,
            "prompt": self.prompts.get(index / self.per_prompt),
            "has_new_line": told.has_line,
            "truncated": self.is_cut || self.is_full(ending.reason, usage),
            "stop_type": stop_type,
            "stopping_word": word,
            "tokens_cached": usage.cached_tokens,
            "timings": Timings::new(usage),
        });
        if self.with_probs && !told.tokens.is_empty() {
            answer["completion_probabilities"] = self.probs(&told.tokens);
        }
        match self.only.as_slice() {
            [] => answer,
            paths => only(&answer, paths),
        }
    }

    /// Whether the end of the context ended it.
    fn is_full(&self, reason: FinishReason, usage: &Usage) -> bool {
        let len = usage.prompt_tokens + usage.generated_tokens;
        reason == FinishReason::Length && len >= self.model.info().ctx
    }

    /// Why it ended, in llama.cpp's words, and at which word.
    fn stop(&self, ending: &Ending) -> (&'static str, String) {
        let tokenizer = self.model.tokenizer();
        match (&ending.cause, ending.reason) {
            (Some(StopCause::Text(word)), _) => ("word", word.clone()),
            (Some(StopCause::Token(id)), _) if !tokenizer.is_eog(*id) => {
                ("word", tokenizer.decode(&[*id], false))
            }
            (Some(StopCause::Token(_) | StopCause::Grammar), _) => ("eos", String::new()),
            (None, FinishReason::Length) => ("limit", String::new()),
            (None, FinishReason::Stop) => ("eos", String::new()),
            (None, FinishReason::Cancelled) => ("none", String::new()),
        }
    }

    fn ids(&self, tokens: &[TokenInfo]) -> Vec<u32> {
        let ids = tokens.iter().map(|token| token.id);
        ids.take_while(|_| self.with_tokens).collect()
    }

    fn probs(&self, tokens: &[TokenInfo]) -> Value {
        let tokenizer = self.model.tokenizer();
        match self.after_sampling {
            true => logprobs::drawn_by(tokenizer, tokens),
            false => logprobs::of_chat(tokenizer, tokens)["content"].take(),
        }
    }
}

/// What a piece adds to the text.
fn text(part: &Part) -> Cow<'_, str> {
    let mut texts = part.deltas.iter().filter_map(|delta| match delta {
        Delta::Content(text) => Some(text.as_str()),
        _ => None,
    });
    let first = Cow::Borrowed(texts.next().unwrap_or_default());
    texts.fold(first, |all, more| all + more)
}
