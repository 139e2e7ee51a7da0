//! Replies taken apart: text for the reader, thoughts, and calls of tools.

use std::collections::VecDeque;

use engine::{Ending, FinishReason, Usage};
use serde_json::Value;

use crate::dialogue::{Delta, ReplyParser, ToolCall};
use crate::parts::{PartStream, finish, push};
use crate::prompt::Prompt;
use crate::reply::ReplyStream;
use crate::{Error, Request};

/// A whole reply, taken apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Text for the reader.
    pub content: String,
    /// What the model thought before it answered; empty if it did not.
    pub reasoning: String,
    /// Calls of tools.
    pub tool_calls: Vec<ToolCall>,
    /// What ended the reply.
    pub finish_reason: FinishReason,
    /// Counts and times.
    pub usage: Usage,
}

impl Request {
    /// The whole reply, taken apart as the model's chat template has it: text, thoughts, calls of the tools that
    /// [`Request::tools`] names.
    ///
    /// # Errors
    /// As for [`Request::run`]; if a tool is malformed, or a call is required that cannot be enforced.
    pub fn answer(self) -> Result<Answer, Error> {
        let mut stream = self.deltas()?;
        let mut parts = AnswerBuilder::default();
        for delta in stream.by_ref() {
            parts.add(delta?);
        }
        let ending = stream.ending().cloned().ok_or(Error::WorkerGone)?;
        Ok(parts.finish(ending))
    }

    /// [`Request::answer`] for any async runtime.
    ///
    /// # Errors
    /// As for [`Request::answer`].
    pub async fn answer_async(self) -> Result<Answer, Error> {
        let mut stream = self.parts_async().await?;
        let mut parts = AnswerBuilder::default();
        while let Some(part) = stream.next().await {
            part?.deltas.into_iter().for_each(|delta| parts.add(delta));
        }
        let ending = stream.ending().cloned().ok_or(Error::WorkerGone)?;
        Ok(parts.finish(ending))
    }

    /// The same in pieces, as they come. Dropping the stream stops the computation.
    ///
    /// # Errors
    /// As for [`Request::stream`] and [`Request::answer`].
    pub fn deltas(self) -> Result<DeltaStream, Error> {
        let prepared = self.with_marks().prepare()?;
        let parsers = prepared.parsers.clone();
        let first = prepared.start()?.into_iter().zip(parsers).next();
        let (replies, parser) = first.ok_or(Error::WorkerGone)?;
        Ok(DeltaStream {
            parser,
            replies,
            ready: VecDeque::new(),
            is_over: false,
        })
    }

    /// [`Request::deltas`] for any async runtime, with the tokens that they are made of.
    ///
    /// # Errors
    /// As for [`Request::deltas`].
    pub async fn parts_async(self) -> Result<PartStream, Error> {
        Ok(self.with_marks().prepare()?.parts_async().await?.remove(0))
    }

    /// Marks of calls are control tokens in some vocabularies; a text that is not taken apart is given as asked.
    pub(crate) fn with_marks(self) -> Self {
        match self.prompt {
            Prompt::Chat { .. } => self.keep_special(true),
            _ => self,
        }
    }
}

/// A reply in pieces, taken apart.
pub struct DeltaStream {
    parser: Option<ReplyParser>,
    replies: ReplyStream,
    ready: VecDeque<Delta>,
    is_over: bool,
}

impl DeltaStream {
    /// How the reply ended, after the last piece.
    pub fn ending(&self) -> Option<&Ending> {
        self.replies.ending()
    }
}

impl Iterator for DeltaStream {
    type Item = Result<Delta, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(delta) = self.ready.pop_front() {
                return Some(Ok(delta));
            }
            if self.is_over {
                return None;
            }
            match self.replies.next() {
                Some(Ok(text)) => self.ready.extend(push(&mut self.parser, text)),
                Some(Err(error)) => {
                    self.is_over = true;
                    return Some(Err(error));
                }
                None => {
                    self.is_over = true;
                    self.ready.extend(finish(&mut self.parser));
                }
            }
        }
    }
}

/// An answer in the making, for who reads a [`PartStream`].
#[derive(Clone, Debug, Default)]
pub struct AnswerBuilder {
    content: String,
    reasoning: String,
    /// Id, name and arguments.
    calls: Vec<(String, String, String)>,
}

impl AnswerBuilder {
    /// Adds what came next.
    pub fn add(&mut self, delta: Delta) {
        match delta {
            Delta::Content(text) => self.content += &text,
            Delta::Reasoning(text) => self.reasoning += &text,
            Delta::ToolCallStart { id, name, .. } => self.calls.push((id, name, String::new())),
            Delta::ToolCallArguments {
                index,
                json_fragment,
            } => {
                if let Some((_, _, arguments)) = self.calls.get_mut(index) {
                    *arguments += &json_fragment;
                }
            }
            Delta::ToolCallEnd { .. } => {}
        }
    }

    /// The arguments of each call, as the model wrote them.
    pub fn call_texts(&self) -> Vec<String> {
        self.calls.iter().map(|(_, _, text)| text.clone()).collect()
    }

    /// The whole. A call whose arguments broke off keeps what there is of them as a string.
    pub fn finish(self, ending: Ending) -> Answer {
        let call = |(id, name, text): (String, String, String)| ToolCall {
            id,
            name,
            arguments: serde_json::from_str(&text).unwrap_or(Value::String(text)),
        };
        Answer {
            content: self.content,
            reasoning: self.reasoning,
            tool_calls: self.calls.into_iter().map(call).collect(),
            finish_reason: ending.reason,
            usage: ending.usage,
        }
    }
}
