//! Replies under way: prepared off the threads that serve connections, in a bounded number, and watched.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use ingle::dialogue::Delta;
use ingle::{
    Answer, AnswerBuilder, Ending, FinishReason, Model, Part, PartStream, Request, TokenInfo,
};

use crate::error::{ApiError, Kind, Outcome};
use crate::metrics::TokenTimes;
use crate::queue::Places;
use crate::registry::Named;
use crate::slots::Seat;
use crate::state::App;

/// A prompt, and the replies to it.
pub(crate) struct Prompted {
    pub(crate) prompt: Vec<u32>,
    pub(crate) replies: Vec<Reply>,
}

/// Has requests computed, each of which has `num_replies` replies.
///
/// # Errors
/// If there is no place, or one of them cannot be computed; then none is.
pub(crate) async fn begin(
    app: &Arc<App>,
    named: &Named,
    requests: Vec<Request>,
    num_replies: usize,
) -> Outcome<Vec<Prompted>> {
    app.accepts()?;
    let started = Instant::now();
    let places = app
        .queue
        .enter(requests.len().saturating_mul(num_replies))?;
    // Templates, long prompts and grammars take their time.
    let prepare = move || {
        let prepare = |request: &Request| Ok((request.prepare()?, request.params().clone()));
        let prepared = requests.iter().map(prepare);
        prepared.collect::<Result<Vec<_>, ingle::Error>>()
    };
    let prepared = off_thread(prepare).await??;
    let mut begun = Vec::new();
    for (prepared, params) in prepared {
        let prompt = prepared.prompt().to_vec();
        let streams = prepared.parts_async().await?;
        let seat = || {
            let (num, params) = (app.options.parallel, params.clone());
            app.slots.enter(&named.id, num, &prompt, params)
        };
        let reply = |stream| Reply {
            stream: Some(stream),
            ending: None,
            seat: seat(),
            limit: None,
            watch: Watch {
                app: Arc::clone(app),
                model: named.id.clone(),
                times: app.metrics.token_times(&named.id),
                started,
                last: None,
                has_ended: false,
            },
            _places: Arc::clone(&places),
        };
        let replies = streams.into_iter().map(reply).collect();
        begun.push(Prompted { prompt, replies });
    }
    Ok(begun)
}

/// Runs what takes longer than a request may hold others up.
///
/// # Errors
/// If it panics: a fault of ours, which ends nothing but the request.
pub(crate) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Outcome<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| ApiError::new(Kind::Server, "internal error"))
}

/// A reply under way; dropping it ends it.
pub(crate) struct Reply {
    /// None when it is over.
    stream: Option<PartStream>,
    ending: Option<Ending>,
    seat: Seat,
    limit: Option<TimeLimit>,
    watch: Watch,
    _places: Places,
}

/// A bound on the time of a text, as llama.cpp has it: the line that was begun first is ended.
struct TimeLimit {
    most: Duration,
    has_line: bool,
}

/// What is measured of a reply.
struct Watch {
    app: Arc<App>,
    model: String,
    times: TokenTimes,
    started: Instant,
    /// When the last token came.
    last: Option<Instant>,
    has_ended: bool,
}

impl Reply {
    /// The next piece; none at the end, or after an error.
    pub(crate) async fn next(&mut self) -> Option<Outcome<Part>> {
        poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Outcome<Part>>> {
        let Some(stream) = &mut self.stream else {
            return Poll::Ready(None);
        };
        let part = ready!(stream.poll_part(context));
        Poll::Ready(match part {
            Some(Ok(part)) => {
                if part.usage.generated_tokens > 0 {
                    self.watch.token();
                }
                self.seat.set_decoded(part.usage.generated_tokens);
                if let Some(ending) = self.limit.as_mut().and_then(|limit| limit.ends(&part)) {
                    self.end(Some(ending));
                }
                Some(Ok(part))
            }
            Some(Err(error)) => Some(Err(error.into())),
            None => {
                let ending = stream.ending().cloned();
                self.end(ending);
                None
            }
        })
    }

    /// Lets others have what it held.
    fn end(&mut self, ending: Option<Ending>) {
        self.stream = None;
        self.seat.leave();
        if let Some(ending) = ending {
            self.watch.end(&ending);
            self.ending = Some(ending);
        }
    }

    /// Ends the text at the first piece that comes so long after the first token, once it has a whole line.
    pub(crate) fn limit_time(&mut self, most: Duration) {
        self.limit = Some(TimeLimit {
            most,
            has_line: false,
        });
    }

    /// The slot that it is computed in; -1 as long as it waits.
    pub(crate) fn slot(&self) -> i64 {
        self.seat.number()
    }

    /// How it ended, after the last piece.
    pub(crate) fn ending(&self) -> Option<&Ending> {
        self.ending.as_ref()
    }

    /// All of it.
    ///
    /// # Errors
    /// If it fails under way.
    pub(crate) async fn whole(mut self) -> Outcome<Whole> {
        let (mut answer, mut tokens) = (AnswerBuilder::default(), Vec::new());
        while let Some(part) = self.next().await {
            let part = part?;
            part.deltas
                .into_iter()
                .for_each(|delta: Delta| answer.add(delta));
            tokens.extend(part.tokens);
        }
        let ending = self.ending().cloned().ok_or_else(gone)?;
        Ok(Whole {
            call_texts: answer.call_texts(),
            answer: answer.finish(ending.clone()),
            ending,
            tokens,
        })
    }
}

impl TimeLimit {
    /// How the text ends with this piece, if it does.
    fn ends(&mut self, part: &Part) -> Option<Ending> {
        let has_line = |delta: &Delta| matches!(delta, Delta::Content(text) if text.contains('\n'));
        self.has_line |= part.deltas.iter().any(has_line);
        let is_over = self.has_line && part.usage.generation_time >= self.most;
        is_over.then_some(Ending {
            reason: FinishReason::Length,
            cause: None,
            usage: part.usage,
        })
    }
}

/// Several replies, whichever comes.
pub(crate) struct Merged {
    pub(crate) replies: Vec<Reply>,
    is_over: Vec<bool>,
    /// Who is asked first, so that nobody has to wait for others.
    turn: usize,
}

impl Merged {
    pub(crate) fn new(replies: Vec<Reply>) -> Self {
        Self {
            is_over: vec![false; replies.len()],
            replies,
            turn: 0,
        }
    }

    /// Which reply goes on, and its piece; none is its end. After the last end there is nothing.
    pub(crate) async fn next(&mut self) -> Option<(usize, Option<Outcome<Part>>)> {
        poll_fn(|context| {
            if self.is_over.iter().all(|&over| over) {
                return Poll::Ready(None);
            }
            let num = self.replies.len();
            for at in (self.turn..self.turn + num).map(|at| at % num) {
                if self.is_over[at] {
                    continue;
                }
                if let Poll::Ready(part) = self.replies[at].poll(context) {
                    self.turn = (at + 1) % num;
                    self.is_over[at] = part.is_none();
                    return Poll::Ready(Some((at, part)));
                }
            }
            Poll::Pending
        })
        .await
    }
}

/// A reply that has ended.
pub(crate) struct Whole {
    pub(crate) answer: Answer,
    /// The arguments of its calls, as the model wrote them.
    pub(crate) call_texts: Vec<String>,
    pub(crate) ending: Ending,
    pub(crate) tokens: Vec<TokenInfo>,
}

fn gone() -> ApiError {
    ingle::Error::WorkerGone.into()
}

/// What a handler needs first: the model that a request means.
pub(crate) async fn model(app: &Arc<App>, asked: Option<&str>) -> Outcome<(Named, Model)> {
    app.accepts()?;
    app.registry.get(asked).await
}

impl Watch {
    fn token(&mut self) {
        let now = Instant::now();
        match self.last.replace(now) {
            None => self.times.first(now - self.started),
            Some(last) => self.times.next(now - last),
        }
    }

    fn end(&mut self, ending: &Ending) {
        self.has_ended = true;
        self.app
            .metrics
            .end(&self.model, ending, self.started.elapsed());
    }
}

/// The client went, or something else cut the reply off.
impl Drop for Watch {
    fn drop(&mut self) {
        if !self.has_ended {
            self.app.metrics.abandoned(&self.model);
        }
    }
}
