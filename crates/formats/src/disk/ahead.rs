//! Reading sections round and round, ahead of whoever uses them.
//!
//! One thread reads the sections in order, the first again after the last, as long as a buffer is free; it is
//! the whole memory there is for them. A user who takes them in that order finds the next one read, or
//! waits for the disk and for nothing else (`benches/disk.rs` compares).

use std::collections::VecDeque;
use std::io;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::{Buffer, ReadError, Section};

/// Sections that come through a few buffers, round and round.
pub struct ReadAhead {
    shared: Arc<Shared>,
    reader: Option<JoinHandle<()>>,
}

struct Shared {
    sections: Vec<Section>,
    state: Mutex<State>,
    changed: Condvar,
    /// Goes up when what is being read is not wanted any more: [`State::epoch`], to be seen without the lock.
    epoch: AtomicU64,
}

struct State {
    free: Vec<Buffer>,
    ready: VecDeque<Result<Buffer, ReadError>>,
    /// What the reader reads next.
    next_read: usize,
    /// What the front of `ready` is, or will be.
    next_taken: usize,
    epoch: u64,
    /// After an error the reader waits for the next one who asks.
    failed: bool,
    stop: bool,
}

/// A section in its buffer, which is free again when this is dropped.
pub struct Loaded<'a> {
    shared: &'a Shared,
    buffer: Option<Buffer>,
}

impl ReadAhead {
    /// Begins to read `sections`, through `num_buffers` buffers as large as the largest of them.
    ///
    /// # Errors
    /// If the system refuses a thread.
    ///
    /// # Panics
    /// If there are no sections or no buffers.
    pub fn new(sections: Vec<Section>, num_buffers: usize) -> io::Result<Self> {
        assert!(
            !sections.is_empty() && num_buffers > 0,
            "there is something to read, and somewhere to put it"
        );
        let len = sections.iter().map(Section::len).max().unwrap_or(0);
        let shared = Arc::new(Shared {
            sections,
            state: Mutex::new(State {
                free: (0..num_buffers).map(|_| Buffer::new(len)).collect(),
                ready: VecDeque::with_capacity(num_buffers),
                next_read: 0,
                next_taken: 0,
                epoch: 0,
                failed: false,
                stop: false,
            }),
            changed: Condvar::new(),
            epoch: AtomicU64::new(0),
        });
        let reading = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("ingle-reader".into());
        let reader = Some(thread.spawn(move || reading.read())?);
        Ok(Self { shared, reader })
    }

    /// Section `index`, as soon as it is read.
    ///
    /// Whoever takes them in order finds them read ahead; anything else starts reading there anew. With one
    /// [`Loaded`] in hand, a second can only be had if there are two buffers.
    ///
    /// # Errors
    /// If it could not be read. Asking again tries again.
    ///
    /// # Panics
    /// If there is no such section.
    pub fn take(&self, index: usize) -> Result<Loaded<'_>, ReadError> {
        let shared = &*self.shared;
        let n = shared.sections.len();
        assert!(index < n, "section {index} of {n}");
        let mut state = shared.lock();
        if state.next_taken != index || (state.failed && state.ready.is_empty()) {
            state.restart_at(index);
            shared.epoch.store(state.epoch, Ordering::Relaxed);
            shared.changed.notify_all();
        }
        loop {
            if let Some(read) = state.ready.pop_front() {
                state.next_taken = (index + 1) % n;
                let buffer = Some(read?);
                return Ok(Loaded { shared, buffer });
            }
            state = shared.wait(state);
        }
    }
}

impl Drop for ReadAhead {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.stop = true;
        state.epoch += 1;
        self.shared.epoch.store(state.epoch, Ordering::Relaxed);
        drop(state);
        self.shared.changed.notify_all();
        if let Some(reader) = self.reader.take() {
            // It has nothing to say: errors went through `ready`.
            let _ = reader.join();
        }
    }
}

impl State {
    /// Forgets what was read ahead.
    fn restart_at(&mut self, index: usize) {
        let read = std::mem::take(&mut self.ready);
        self.free.extend(read.into_iter().flatten());
        self.next_read = index;
        self.next_taken = index;
        self.failed = false;
        self.epoch += 1;
    }
}

impl Shared {
    /// What the reader does until it is told to stop.
    fn read(&self) {
        let mut state = self.lock();
        while !state.stop {
            let free = if state.failed { None } else { state.free.pop() };
            let Some(mut buffer) = free else {
                state = self.wait(state);
                continue;
            };
            let (index, epoch) = (state.next_read, state.epoch);
            state.next_read = (index + 1) % self.sections.len();
            drop(state);
            let wanted = || self.epoch.load(Ordering::Relaxed) == epoch;
            let read = self.sections[index].read_into(&mut buffer, wanted);
            state = self.lock();
            if state.epoch != epoch {
                state.free.push(buffer);
                continue;
            }
            match read {
                Ok(_) => state.ready.push_back(Ok(buffer)),
                Err(error) => {
                    state.free.push(buffer);
                    state.ready.push_back(Err(error));
                    state.failed = true;
                }
            }
            self.changed.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'s>(&self, state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        let woken = self.changed.wait(state);
        woken.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deref for Loaded<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.buffer
            .as_deref()
            .expect("only dropping takes the buffer away")
    }
}

impl Drop for Loaded<'_> {
    fn drop(&mut self) {
        if let Some(buffer) = self.buffer.take() {
            self.shared.lock().free.push(buffer);
            self.shared.changed.notify_all();
        }
    }
}
