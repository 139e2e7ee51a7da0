//! When models are let go: some time after their last use.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::{Inner, Pool, Slot};

/// How long a model stays after its last use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// So long.
    For(Duration),
    /// Until its room is needed.
    Forever,
}

impl Pool {
    /// Has a model stay so long after its last use, in place of what holds for all ([`PoolBuilder::idle`](crate::PoolBuilder::idle)), until
    /// something else is said or it is unloaded. Whether it was there.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// let pool = ingle::Pool::builder().build()?;
    /// let model = pool.get("smollm2")?;
    /// pool.keep("smollm2", ingle::Keep::For(Duration::from_secs(300)));
    /// # Ok::<(), ingle::Error>(())
    /// ```
    pub fn keep(&self, name: &str, wanted: Keep) -> bool {
        let is_there = match self.slots().get_mut(name) {
            Some(Slot::Loaded { keep, .. }) => {
                *keep = Some(wanted);
                true
            }
            _ => false,
        };
        // Without the thread nothing is unloaded, which is no harm.
        is_there && (wanted == Keep::Forever || self.start_sweeper().is_ok())
    }

    /// Starts the thread that unloads, unless it runs.
    pub(super) fn start_sweeper(&self) -> std::io::Result<()> {
        let mut outcome = Ok(());
        self.0.sweeper.call_once(|| {
            let weak = Arc::downgrade(&self.0);
            let thread = std::thread::Builder::new().name("ingle-pool".into());
            outcome = thread.spawn(move || sweep_now_and_then(&weak)).map(drop);
        });
        outcome
    }

    /// Lets models go that were idle for too long ([`PoolBuilder::idle`](crate::PoolBuilder::idle), [`Pool::keep`]); the pool does so by itself
    /// now and then.
    pub fn sweep(&self) {
        let idle = self.0.idle;
        self.slots().retain(|_, slot| match slot {
            Slot::Loading => true,
            Slot::Loaded {
                model,
                last_use,
                keep,
            } => {
                // A reply is use.
                if model.is_shared() {
                    *last_use = Instant::now();
                }
                limit(*keep, idle)
                    .is_none_or(|limit| model.is_shared() || last_use.elapsed() < limit)
            }
        });
    }
}

/// How long a model stays: what was said of it, or what holds for all.
pub(super) fn limit(keep: Option<Keep>, idle: Option<Duration>) -> Option<Duration> {
    match keep {
        Some(Keep::For(time)) => Some(time),
        Some(Keep::Forever) => None,
        None => idle,
    }
}

/// Most time between two looks; a model stays at most so long too long.
const PAUSE: Duration = Duration::from_millis(250);

fn sweep_now_and_then(pool: &Weak<Inner>) {
    let mut pause = PAUSE;
    loop {
        std::thread::sleep(pause);
        let Some(inner) = pool.upgrade() else { return };
        let pool = Pool(inner);
        pool.sweep();
        let least = pool
            .entries()
            .into_iter()
            .filter_map(|entry| entry.unloads_in)
            .min();
        let idle = least.into_iter().chain(pool.0.idle).min().unwrap_or(PAUSE);
        pause = (idle / 4).clamp(Duration::from_millis(10), PAUSE);
    }
}
