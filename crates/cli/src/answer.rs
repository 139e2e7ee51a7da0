//! One answer of the model, piece by piece, until its end or Ctrl-C.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use futures_core::Stream;
use ingle::dialogue::{Delta, ToolCall};
use ingle::{AnswerBuilder, FinishReason, Request, Usage};

use crate::failure::Failure;
use crate::interrupt::Interrupt;

/// What came of a request.
pub(crate) struct Answer {
    /// The whole text.
    pub(crate) text: String,
    /// Tools that are to be called.
    pub(crate) calls: Vec<ToolCall>,
    /// Why it ended and what it cost; none after Ctrl-C.
    pub(crate) end: Option<(FinishReason, Usage)>,
}

/// How often Ctrl-C is looked for while nothing comes.
pub(crate) const POLL: Duration = Duration::from_millis(30);

/// Runs the request and hands each piece of text to `on_piece`; Ctrl-C ends the answer.
///
/// The asynchronous stream is polled here, because a blocking read could not be left while a long prompt
/// is computed. Dropping the stream stops the engine at its next step.
pub(crate) fn stream(
    request: Request,
    interrupt: &Interrupt,
    on_piece: &mut dyn FnMut(&str) -> io::Result<()>,
) -> Result<Answer, Failure> {
    let _caught = interrupt.catch();
    let mut text = String::new();
    let mut start = pin!(request.stream_async());
    let Some(pieces) = wait(interrupt, |context| start.as_mut().poll(context)) else {
        return Ok(Answer::interrupted(text));
    };
    let mut pieces = pieces?;
    loop {
        let next = wait(interrupt, |context| {
            Pin::new(&mut pieces).poll_next(context)
        });
        match next {
            None => return Ok(Answer::interrupted(text)),
            Some(None) => break,
            Some(Some(piece)) => {
                let piece = piece?;
                on_piece(&piece)?;
                text += &piece;
            }
        }
    }
    match (pieces.finish_reason(), pieces.usage()) {
        (Some(reason), Some(usage)) => {
            let end = Some((reason, *usage));
            Ok(Answer {
                text,
                calls: Vec::new(),
                end,
            })
        }
        _ => Err(Failure::new("the engine stopped without saying why")),
    }
}

/// [`stream`] for requests with tools: calls are told from the text.
pub(crate) fn stream_apart(
    request: Request,
    interrupt: &Interrupt,
    on_piece: &mut dyn FnMut(&str) -> io::Result<()>,
) -> Result<Answer, Failure> {
    let _caught = interrupt.catch();
    let mut whole = AnswerBuilder::default();
    let mut text = String::new();
    let mut start = pin!(request.split_reasoning(false).parts_async());
    let Some(parts) = wait(interrupt, |context| start.as_mut().poll(context)) else {
        return Ok(Answer::interrupted(text));
    };
    let mut parts = parts?;
    loop {
        let part = match wait(interrupt, |context| parts.poll_part(context)) {
            None => return Ok(Answer::interrupted(text)),
            Some(None) => break,
            Some(Some(part)) => part?,
        };
        for delta in part.deltas {
            if let Delta::Content(piece) = &delta {
                on_piece(piece)?;
                text += piece;
            }
            whole.add(delta);
        }
    }
    let ending = parts.ending().cloned();
    let ending = ending.ok_or_else(|| Failure::new("the engine stopped without saying why"))?;
    let end = Some((ending.reason, ending.usage));
    Ok(Answer {
        text,
        calls: whole.finish(ending).tool_calls,
        end,
    })
}

impl Answer {
    /// What there was before Ctrl-C.
    fn interrupted(text: String) -> Self {
        Self {
            text,
            calls: Vec::new(),
            end: None,
        }
    }
}

/// Polls until there is a result; none after Ctrl-C.
fn wait<T>(interrupt: &Interrupt, mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Option<T> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if interrupt.caught() {
            return None;
        }
        match poll(&mut context) {
            Poll::Ready(value) => return Some(value),
            Poll::Pending => thread::park_timeout(POLL),
        }
    }
}

/// Wakes the thread that waits.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
