//! What all handlers share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{ApiError, Kind, Outcome, ServeError};
use crate::guard::Guard;
use crate::metrics::Metrics;
use crate::ollama::Known;
use crate::options::Options;
use crate::queue::Queue;
use crate::registry::Registry;
use crate::slots::Slots;

/// The server's state.
pub(crate) struct App {
    pub(crate) options: Options,
    pub(crate) guard: Guard,
    pub(crate) registry: Arc<Registry>,
    pub(crate) queue: Queue,
    pub(crate) metrics: Metrics,
    /// Facts about models that are on the disk.
    pub(crate) known: Known,
    pub(crate) slots: Arc<Slots>,
    /// The server ends: what is under way may end, nothing new begins.
    draining: AtomicBool,
}

impl App {
    pub(crate) fn new(options: Options) -> Result<Arc<Self>, ServeError> {
        let registry = Arc::new(Registry::new(&options)?);
        Ok(Arc::new(Self {
            guard: Guard::new(&options)?,
            queue: Queue::new(options.parallel.saturating_add(options.max_queue)),
            metrics: Metrics::new(Arc::clone(&registry)),
            registry,
            known: Known::default(),
            slots: Arc::new(Slots::new(options.slot_save_path.is_some())),
            draining: AtomicBool::new(false),
            options,
        }))
    }

    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
    }

    /// Whether a request may begin.
    ///
    /// # Errors
    /// If the server ends.
    pub(crate) fn accepts(&self) -> Outcome<()> {
        match self.draining.load(Ordering::SeqCst) {
            true => Err(ApiError::new(
                Kind::Unavailable,
                "the server is shutting down",
            )),
            false => Ok(()),
        }
    }
}
