//! What comes back: a reply as a whole, or in pieces.

use std::pin::Pin;
use std::task::{Context, Poll};

use async_channel::Receiver;
use engine::{Ending, Event, FinishReason, StopCause, TokenInfo, Usage};
use futures_core::Stream;

use crate::{Error, Model};

/// A whole reply.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The text.
    pub text: String,
    /// What ended it.
    pub finish_reason: FinishReason,
    /// What it stopped at, if it did.
    pub stop_cause: Option<StopCause>,
    /// Counts and times.
    pub usage: Usage,
    /// Its tokens, if log-probabilities were asked for.
    pub tokens: Vec<TokenInfo>,
    /// The prompt's tokens but the first, if theirs were.
    pub prompt_tokens: Vec<TokenInfo>,
}

impl Reply {
    pub(crate) fn mean_logprob(&self) -> f32 {
        mean_logprob(&self.tokens, &self.usage)
    }
}

/// Mean log-probability of a reply's tokens, by which the best of several is chosen; minus infinity if log-probabilities
/// were not asked for, or there are no tokens. An echoed prompt's are not among them.
pub fn mean_logprob(tokens: &[TokenInfo], usage: &Usage) -> f32 {
    let echoed = tokens.len().saturating_sub(usage.generated_tokens);
    let own = &tokens[echoed..];
    let sum: f32 = own.iter().filter_map(|token| token.logprob).sum();
    match own.len() {
        0 => f32::NEG_INFINITY,
        n => sum / n as f32,
    }
}

/// Some of a reply.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Piece {
    /// Text; empty if tokens came that show no text yet.
    pub text: String,
    /// The tokens since the last piece, if log-probabilities were asked for.
    pub tokens: Vec<TokenInfo>,
    /// Counts and times so far.
    pub usage: Usage,
}

/// What is known of a reply beside its pieces.
#[derive(Default)]
struct Known {
    end: Option<Ending>,
    prompt_tokens: Vec<TokenInfo>,
    failed: bool,
}

impl Known {
    /// The piece, the failure or the end that an event is; nothing if another event must be waited for.
    fn take(&mut self, event: Option<Event>) -> Option<Option<Result<Piece, Error>>> {
        Some(match event {
            Some(Event::Prompt(tokens)) => {
                self.prompt_tokens = tokens;
                return None;
            }
            Some(Event::Piece {
                text,
                tokens,
                usage,
            }) => Some(Ok(Piece {
                text,
                tokens,
                usage,
            })),
            Some(Event::End(Ok(end))) => {
                self.end = Some(end);
                None
            }
            Some(Event::End(Err(error))) => {
                self.failed = true;
                Some(Err(error.into()))
            }
            // A vector is no reply, and none was asked for.
            Some(Event::Embedding(_)) | None => {
                self.failed = true;
                Some(Err(Error::WorkerGone))
            }
        })
    }

    fn is_over(&self) -> bool {
        self.failed || self.end.is_some()
    }

    fn reply(self, text: String, tokens: Vec<TokenInfo>) -> Result<Reply, Error> {
        let Ending {
            reason,
            cause,
            usage,
        } = self.end.ok_or(Error::WorkerGone)?;
        Ok(Reply {
            text,
            finish_reason: reason,
            stop_cause: cause,
            usage,
            tokens,
            prompt_tokens: self.prompt_tokens,
        })
    }
}

/// A reply in pieces: an iterator of text. [`ReplyStream::next_piece`] tells more.
pub struct ReplyStream {
    events: Receiver<Event>,
    known: Known,
    /// It is in use as long as somebody reads.
    model: Model,
}

impl ReplyStream {
    pub(crate) fn new(events: Receiver<Event>, model: Model) -> Self {
        let known = Known::default();
        Self {
            events,
            known,
            model,
        }
    }

    /// What ended the text, after the last piece.
    pub fn finish_reason(&self) -> Option<FinishReason> {
        self.ending().map(|end| end.reason)
    }

    /// Counts and times, after the last piece.
    pub fn usage(&self) -> Option<&Usage> {
        self.ending().map(|end| &end.usage)
    }

    /// How the text ended, after the last piece.
    pub fn ending(&self) -> Option<&Ending> {
        self.known.end.as_ref()
    }

    /// The prompt's tokens but the first, if their log-probabilities were asked for; known before the first piece.
    pub fn prompt_tokens(&self) -> &[TokenInfo] {
        &self.known.prompt_tokens
    }

    /// Waits for the next piece; none at the end, or after an error.
    pub fn next_piece(&mut self) -> Option<Result<Piece, Error>> {
        while !self.known.is_over() {
            if let Some(item) = self.known.take(self.events.recv_blocking().ok()) {
                return item;
            }
        }
        None
    }

    /// All of it.
    pub(crate) fn reply(mut self) -> Result<Reply, Error> {
        let (mut text, mut tokens) = (String::new(), Vec::new());
        while let Some(piece) = self.next_piece() {
            let piece = piece?;
            text += &piece.text;
            tokens.extend(piece.tokens);
        }
        self.known.reply(text, tokens)
    }

    /// The same, without a thread that waits.
    pub(crate) async fn reply_async(mut self) -> Result<Reply, Error> {
        let (mut text, mut tokens) = (String::new(), Vec::new());
        while !self.known.is_over() {
            let event = self.events.recv().await.ok();
            if let Some(Some(piece)) = self.known.take(event) {
                let piece = piece?;
                text += &piece.text;
                tokens.extend(piece.tokens);
            }
        }
        self.known.reply(text, tokens)
    }
}

impl Iterator for ReplyStream {
    type Item = Result<String, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.next_piece()? {
                Ok(piece) if piece.text.is_empty() => {}
                item => return Some(item.map(|piece| piece.text)),
            }
        }
    }
}

/// A reply in pieces, for any async runtime: a stream of them.
pub struct AsyncReplyStream {
    events: Pin<Box<Receiver<Event>>>,
    known: Known,
    _model: Model,
}

impl AsyncReplyStream {
    pub(crate) fn new(stream: ReplyStream) -> Self {
        let ReplyStream {
            events,
            known,
            model,
        } = stream;
        Self {
            events: Box::pin(events),
            known,
            _model: model,
        }
    }

    /// What ended the text, after the last piece.
    pub fn finish_reason(&self) -> Option<FinishReason> {
        self.ending().map(|end| end.reason)
    }

    /// Counts and times, after the last piece.
    pub fn usage(&self) -> Option<&Usage> {
        self.ending().map(|end| &end.usage)
    }

    /// How the text ended, after the last piece.
    pub fn ending(&self) -> Option<&Ending> {
        self.known.end.as_ref()
    }

    /// The prompt's tokens but the first, if their log-probabilities were asked for; known before the first piece.
    pub fn prompt_tokens(&self) -> &[TokenInfo] {
        &self.known.prompt_tokens
    }

    /// The next piece; none at the end, or after an error.
    pub fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Piece, Error>>> {
        while !self.known.is_over() {
            let event = std::task::ready!(self.events.as_mut().poll_next(context));
            if let Some(item) = self.known.take(event) {
                return Poll::Ready(item);
            }
        }
        Poll::Ready(None)
    }
}

impl Stream for AsyncReplyStream {
    type Item = Result<String, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match std::task::ready!(self.poll_piece(context)) {
                Some(Ok(piece)) if piece.text.is_empty() => {}
                item => return Poll::Ready(item.map(|item| item.map(|piece| piece.text))),
            }
        }
    }
}
