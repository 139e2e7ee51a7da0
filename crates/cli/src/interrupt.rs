//! Ctrl-C: ends the program, or only the answer that is being written.
//!
//! At first an interrupt ends the program at once with code 130. While a [`Catch`] is alive it only
//! raises a flag that long work looks at; a second one that comes before the first was noticed ends the
//! program after all, so nothing can hang on us.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::SIGINT;
use signal_hook::flag;

/// Exit code after Ctrl-C, as shells count it.
const INTERRUPTED: i32 = 130;

/// The state of Ctrl-C; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt {
    caught: Arc<AtomicBool>,
    ends_program: Arc<AtomicBool>,
}

/// While this lives, Ctrl-C raises a flag and does nothing else. May be nested.
pub(crate) struct Catch<'a> {
    interrupt: &'a Interrupt,
    ended_program: bool,
}

impl Interrupt {
    /// Takes over the signal.
    ///
    /// # Errors
    /// If the system refuses.
    pub(crate) fn install() -> io::Result<Self> {
        let interrupt = Self {
            caught: Arc::default(),
            ends_program: Arc::new(AtomicBool::new(true)),
        };
        // They run in this order: the flag of the first interrupt makes the second one fatal.
        let ends_program = Arc::clone(&interrupt.ends_program);
        flag::register_conditional_shutdown(SIGINT, INTERRUPTED, ends_program)?;
        flag::register_conditional_shutdown(SIGINT, INTERRUPTED, Arc::clone(&interrupt.caught))?;
        flag::register(SIGINT, Arc::clone(&interrupt.caught))?;
        Ok(interrupt)
    }

    /// From now on, until the result is dropped, the caller looks at [`Interrupt::caught`].
    pub(crate) fn catch(&self) -> Catch<'_> {
        Catch {
            ended_program: self.ends_program.swap(false, Ordering::SeqCst),
            interrupt: self,
        }
    }

    /// Whether there was an interrupt.
    pub(crate) fn caught(&self) -> bool {
        self.caught.load(Ordering::SeqCst)
    }

    /// Whether there was an interrupt; forgets it.
    pub(crate) fn take(&self) -> bool {
        self.caught.swap(false, Ordering::SeqCst)
    }
}

impl Drop for Catch<'_> {
    fn drop(&mut self) {
        let ends_program = &self.interrupt.ends_program;
        ends_program.store(self.ended_program, Ordering::SeqCst);
    }
}
