//! The thread that computes: takes jobs in order, gives pieces of text back as they come.

use async_channel::{Receiver, Sender};
use engine::{FinishReason, GenerateRequest, Generator, RequestError, Usage};

use crate::Error;

/// Jobs that may wait.
const MAX_WAITING: usize = 1024;
/// Pieces that may wait for a slow reader before the computation does.
const MAX_PIECES: usize = 256;

/// A request, and where its reply goes.
pub(crate) struct Job {
    request: GenerateRequest,
    events: Sender<Event>,
}

/// What a reply is made of.
pub(crate) enum Event {
    Text(String),
    End(Result<(FinishReason, Usage), RequestError>),
}

impl Job {
    pub(crate) fn new(request: GenerateRequest) -> (Self, Receiver<Event>) {
        let (events, receiver) = async_channel::bounded(MAX_PIECES);
        (Self { request, events }, receiver)
    }
}

/// Starts the thread; it ends when the last sender is dropped.
pub(crate) fn start(mut generator: Generator) -> Result<Sender<Job>, Error> {
    let (sender, jobs) = async_channel::bounded::<Job>(MAX_WAITING);
    let run = move || {
        while let Ok(Job { request, events }) = jobs.recv_blocking() {
            let result = generator.generate(&request, |text| {
                if text.is_empty() {
                    return !events.is_closed();
                }
                events.send_blocking(Event::Text(text.to_owned())).is_ok()
            });
            // If nobody listens any more there is nobody to tell.
            let _ = events.send_blocking(Event::End(result));
        }
    };
    let thread = std::thread::Builder::new().name("ingle-engine".into());
    thread.spawn(run).map_err(|error| Error::System {
        what: "starting a thread",
        error,
    })?;
    Ok(sender)
}
