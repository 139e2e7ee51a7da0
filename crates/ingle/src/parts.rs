//! Requests that are ready, and replies in pieces with all that is known of each.

use std::future::poll_fn;
use std::task::{Context, Poll, ready};

use engine::{Ending, TokenInfo, Usage};

use crate::dialogue::{Delta, ReplyParser};
use crate::reply::{AsyncReplyStream, ReplyStream};
use crate::worker::Command;
use crate::{Error, Model};

/// A request that can be computed at once; see [`Request::prepare`](crate::Request::prepare).
pub struct Prepared {
    pub(crate) model: Model,
    pub(crate) prompt: Vec<u32>,
    pub(crate) command: Command,
    pub(crate) streams: Vec<ReplyStream>,
    /// What takes each reply apart.
    pub(crate) parsers: Vec<Option<ReplyParser>>,
}

impl Prepared {
    /// The prompt in tokens.
    pub fn prompt(&self) -> &[u32] {
        &self.prompt
    }

    /// Has it computed: a stream for each reply, in the order of their seeds.
    ///
    /// # Errors
    /// If the model's thread is gone.
    pub fn start(self) -> Result<Vec<ReplyStream>, Error> {
        let sent = self.model.0.commands.send_blocking(self.command);
        sent.map_err(|_| Error::WorkerGone)?;
        Ok(self.streams)
    }

    /// [`Prepared::start`] for any async runtime.
    ///
    /// # Errors
    /// As for [`Prepared::start`].
    pub async fn start_async(self) -> Result<Vec<ReplyStream>, Error> {
        let sent = self.model.0.commands.send(self.command).await;
        sent.map_err(|_| Error::WorkerGone)?;
        Ok(self.streams)
    }

    /// Has it computed: replies to a conversation are taken apart, others are all content.
    ///
    /// # Errors
    /// As for [`Prepared::start`].
    pub async fn parts_async(mut self) -> Result<Vec<PartStream>, Error> {
        let parsers = std::mem::take(&mut self.parsers);
        let streams = self.start_async().await?.into_iter().zip(parsers);
        let part = |(stream, parser)| PartStream {
            stream: AsyncReplyStream::new(stream),
            parser,
            is_over: false,
        };
        Ok(streams.map(part).collect())
    }
}

/// Some of a reply.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Part {
    /// What became certain with it; possibly nothing.
    pub deltas: Vec<Delta>,
    /// The tokens since the last piece, if log-probabilities were asked for.
    pub tokens: Vec<TokenInfo>,
    /// Counts and times so far.
    pub usage: Usage,
}

/// A reply in pieces, taken apart, for any async runtime. Dropping it stops the computation.
pub struct PartStream {
    stream: AsyncReplyStream,
    parser: Option<ReplyParser>,
    is_over: bool,
}

impl PartStream {
    /// The next piece; none at the end, or after an error.
    pub async fn next(&mut self) -> Option<Result<Part, Error>> {
        poll_fn(|context| self.poll_part(context)).await
    }

    /// [`PartStream::next`], for who waits for several.
    pub fn poll_part(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Part, Error>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let part = match ready!(self.stream.poll_piece(context)) {
            Some(Ok(piece)) => Part {
                deltas: push(&mut self.parser, piece.text),
                tokens: piece.tokens,
                usage: piece.usage,
            },
            Some(Err(error)) => {
                self.is_over = true;
                return Poll::Ready(Some(Err(error)));
            }
            None => {
                self.is_over = true;
                let deltas = finish(&mut self.parser);
                if deltas.is_empty() {
                    return Poll::Ready(None);
                }
                let usage = self.ending().map(|ending| ending.usage).unwrap_or_default();
                Part {
                    deltas,
                    tokens: Vec::new(),
                    usage,
                }
            }
        };
        Poll::Ready(Some(Ok(part)))
    }

    /// How the reply ended, after the last piece.
    pub fn ending(&self) -> Option<&Ending> {
        self.stream.ending()
    }

    /// The prompt's tokens but the first, if their log-probabilities were asked for; known before the first piece.
    pub fn prompt_tokens(&self) -> &[TokenInfo] {
        self.stream.prompt_tokens()
    }
}

/// What a piece of text adds.
pub(crate) fn push(parser: &mut Option<ReplyParser>, text: String) -> Vec<Delta> {
    match parser {
        Some(parser) => parser.push(&text),
        None if text.is_empty() => Vec::new(),
        None => vec![Delta::Content(text)],
    }
}

/// What the end adds.
pub(crate) fn finish(parser: &mut Option<ReplyParser>) -> Vec<Delta> {
    parser.as_mut().map_or(Vec::new(), ReplyParser::finish)
}
