//! The thread that computes: takes requests as they come, and computes all of them together, step by step.

use std::sync::{Arc, Mutex, PoisonError};

use async_channel::{Receiver, Sender};
use engine::{
    EmbedRequest, Engine, EngineStats, Event, ModelBackend, Request, RequestId, RestoreError,
    Saved, Sink,
};

use crate::Error;

/// Requests that may wait for the engine to look at them.
const MAX_WAITING: usize = 1024;

/// What the thread is asked to do.
pub(crate) enum Command {
    /// Requests with one prompt; each has a reader of its own.
    Generate(Vec<(Request, Sender<Event>)>),
    /// Texts that become vectors, each with a reader of its own.
    Embed(Vec<(EmbedRequest, Sender<Event>)>),
    /// Give out what is cached of a text, of this salt.
    Save(Vec<u32>, String, Sender<Saved>),
    /// Put back what was given out, for this salt.
    Restore(Saved, String, Sender<Result<(), RestoreError>>),
    /// Counts.
    Stats(Sender<EngineStats>),
    /// Forget what is cached.
    ClearCache,
}

impl Command {
    /// One command for requests that share their prompt, and the readers' ends.
    pub(crate) fn generate(requests: Vec<Request>) -> (Self, Vec<Receiver<Event>>) {
        // As long as a text can be: a reader who is slow, or reads at the end, holds nobody up.
        let pairs = requests.into_iter().map(|request| {
            let (sender, receiver) = async_channel::unbounded();
            ((request, sender), receiver)
        });
        let (requests, receivers) = pairs.unzip();
        (Self::Generate(requests), receivers)
    }
}

struct Channel(Sender<Event>);

impl Sink for Channel {
    fn send(&mut self, event: Event) {
        // If nobody listens any more there is nobody to tell; the engine asks and stops.
        let _ = self.0.try_send(event);
    }

    fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}

/// Starts the thread; it ends with the last request after the last sender is dropped.
/// Beside the sender, the counts as of the last step.
pub(crate) fn start(
    mut engine: Engine<ModelBackend>,
) -> Result<(Sender<Command>, Arc<Mutex<EngineStats>>), Error> {
    let (sender, commands) = async_channel::bounded(MAX_WAITING);
    let latest = Arc::new(Mutex::new(engine.stats()));
    let publish = Arc::clone(&latest);
    let run = move || {
        loop {
            if engine.is_idle() {
                let Ok(command) = commands.recv_blocking() else {
                    return;
                };
                carry_out(&mut engine, command);
            }
            // Those that find no place wait in the channel, where their number has a bound.
            while engine.has_room()
                && let Ok(command) = commands.try_recv()
            {
                carry_out(&mut engine, command);
            }
            engine.step();
            *publish.lock().unwrap_or_else(PoisonError::into_inner) = engine.stats();
        }
    };
    let thread = std::thread::Builder::new().name("ingle-engine".into());
    thread.spawn(run).map_err(|error| Error::System {
        what: "starting a thread",
        error,
    })?;
    Ok((sender, latest))
}

fn carry_out(engine: &mut Engine<ModelBackend>, command: Command) {
    match command {
        Command::Generate(requests) => {
            let mut leader: Option<RequestId> = None;
            for (request, events) in requests {
                let sink = Box::new(Channel(events.clone()));
                match engine.submit(&request, leader, sink) {
                    Ok(id) => leader = leader.or(Some(id)),
                    Err(error) => Channel(events).send(Event::End(Err(error))),
                }
            }
        }
        Command::Embed(requests) => {
            for (request, events) in requests {
                let sink = Box::new(Channel(events.clone()));
                if let Err(error) = engine.embed(&request, sink) {
                    Channel(events).send(Event::End(Err(error)));
                }
            }
        }
        Command::Save(tokens, salt, sender) => {
            // Who asked may have gone.
            let _ = sender.try_send(engine.save(&tokens, &salt));
        }
        Command::Restore(saved, salt, sender) => {
            let _ = sender.try_send(engine.restore(&saved, &salt));
        }
        Command::Stats(sender) => {
            // Who asked may have gone.
            let _ = sender.try_send(engine.stats());
        }
        Command::ClearCache => engine.clear_cache(),
    }
}
