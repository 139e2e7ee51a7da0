//! Masks of grammars, computed beside the model's step: a step needs the processors' memory more than their time.

use std::sync::mpsc::{Receiver, Sender, channel};

use crate::grammar::Grammar;
use crate::sequence::SequenceId;

/// A thread that computes masks; grammars go there and come back.
///
/// Without a thread, which the system may refuse, masks are computed when they are needed.
pub(crate) struct Masks {
    thread: Option<(Sender<Lent>, Receiver<Lent>)>,
    num_lent: usize,
}

type Lent = (SequenceId, Box<Grammar>);

impl Masks {
    pub(crate) fn new() -> Self {
        let (to, work) = channel::<Lent>();
        let (done, from) = channel();
        let run = move || {
            while let Ok((id, mut grammar)) = work.recv() {
                // An error comes again when the mask is asked for.
                let _ = grammar.mask();
                if done.send((id, grammar)).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("ingle-masks".into());
        let thread = thread.spawn(run).is_ok().then_some((to, from));
        let num_lent = 0;
        Self { thread, num_lent }
    }

    /// Begins to compute a mask; the grammar is back after [`Masks::collect`].
    pub(crate) fn lend(&mut self, id: SequenceId, slot: &mut Option<Box<Grammar>>) {
        let Some((to, _)) = &self.thread else { return };
        let Some(grammar) = slot.take() else { return };
        match to.send((id, grammar)) {
            Ok(()) => self.num_lent += 1,
            Err(unsent) => *slot = Some(unsent.0.1),
        }
    }

    /// Gives all that were lent back to `f`.
    pub(crate) fn collect(&mut self, mut f: impl FnMut(SequenceId, Box<Grammar>)) {
        if let Some((_, from)) = &self.thread {
            while self.num_lent > 0
                && let Ok((id, grammar)) = from.recv()
            {
                f(id, grammar);
                self.num_lent -= 1;
            }
        }
    }
}
