//! Several models in one process: loaded when they are asked for, unloaded when others need the room.

mod keep;

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

use model::Placement;

use crate::{Error, Model, ModelBuilder, memory};

pub use keep::Keep;
use keep::limit;

/// Settings of a [`Pool`]; see [`Pool::builder`].
pub struct PoolBuilder {
    memory: Option<u64>,
    max_models: usize,
    idle: Option<Duration>,
    configure: Box<dyn Fn(ModelBuilder) -> ModelBuilder + Send + Sync>,
}

/// Models by name. Cloning it is cheap.
///
/// ```no_run
/// let pool = ingle::Pool::builder().memory(6 << 30).build()?;
/// let model = pool.get("smollm2")?;
/// # Ok::<(), ingle::Error>(())
/// ```
#[derive(Clone)]
pub struct Pool(Arc<Inner>);

struct Inner {
    memory: Option<u64>,
    max_models: usize,
    idle: Option<Duration>,
    configure: Box<dyn Fn(ModelBuilder) -> ModelBuilder + Send + Sync>,
    slots: Mutex<HashMap<String, Slot>>,
    /// A slot has changed.
    changed: Condvar,
    /// Starts the thread that unloads, once there is something for it to do.
    sweeper: Once,
}

enum Slot {
    /// Somebody loads it.
    Loading,
    Loaded {
        model: Model,
        last_use: Instant,
        keep: Option<Keep>,
    },
}

/// A model of a pool, for reports.
#[derive(Clone, Debug)]
pub struct PoolEntry {
    /// The name it was asked for by.
    pub name: String,
    /// Whether it is loaded, or being loaded.
    pub is_loaded: bool,
    /// Whether somebody holds it, beside the pool.
    pub is_in_use: bool,
    /// Bytes that it takes at most.
    pub memory: u64,
    /// Time since somebody asked for it, or held it.
    pub idle: Duration,
    /// When it will be unloaded, if nobody asks for it before; never, if there is no such time.
    pub unloads_in: Option<Duration>,
}

impl PoolBuilder {
    /// Most bytes of all models together; otherwise what is free, and in any case no more than the control group
    /// allows.
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = Some(bytes);
        self
    }

    /// Most models at a time; otherwise as many as there is memory for.
    pub fn max_models(mut self, max_models: usize) -> Self {
        self.max_models = max_models;
        self
    }

    /// Unloads models that nobody asked for, or holds, for so long; otherwise they stay until their room is needed.
    pub fn idle(mut self, idle: Duration) -> Self {
        self.idle = Some(idle);
        self
    }

    /// How models are loaded: context, types, threads.
    pub fn configure(
        mut self,
        configure: impl Fn(ModelBuilder) -> ModelBuilder + Send + Sync + 'static,
    ) -> Self {
        self.configure = Box::new(configure);
        self
    }

    /// An empty pool.
    ///
    /// # Errors
    /// If models are to be unloaded after some time, and the system refuses the thread that does it.
    pub fn build(self) -> Result<Pool, Error> {
        let Self {
            memory,
            max_models,
            idle,
            configure,
        } = self;
        let inner = Arc::new(Inner {
            memory,
            max_models: max_models.max(1),
            idle,
            configure,
            slots: Mutex::default(),
            changed: Condvar::new(),
            sweeper: Once::new(),
        });
        let pool = Pool(inner);
        if idle.is_some() {
            pool.start_sweeper().map_err(|error| Error::System {
                what: "starting a thread",
                error,
            })?;
        }
        Ok(pool)
    }
}

impl Pool {
    /// Settings before use.
    pub fn builder() -> PoolBuilder {
        PoolBuilder {
            memory: None,
            max_models: usize::MAX,
            idle: None,
            configure: Box::new(|builder| builder),
        }
    }

    /// The model of this name ([`Model::load`] says what names there are), loaded if need be. Who asks for a model that
    /// somebody else is loading waits for that. Models that nobody holds make room, the one that was asked for longest
    /// ago first.
    ///
    /// # Errors
    /// As for [`ModelBuilder::load`]. Whoever waited for a load that failed tries for himself.
    pub fn get(&self, name: &str) -> Result<Model, Error> {
        let mut slots = self.slots();
        loop {
            match slots.get_mut(name) {
                Some(Slot::Loaded {
                    model, last_use, ..
                }) => {
                    *last_use = Instant::now();
                    return Ok(model.clone());
                }
                Some(Slot::Loading) => {
                    let waited = self.0.changed.wait(slots);
                    slots = waited.unwrap_or_else(PoisonError::into_inner);
                }
                None => {
                    slots.insert(name.to_owned(), Slot::Loading);
                    break;
                }
            }
        }
        drop(slots);
        // Also when loading panics: others must not wait for ever.
        let _announce = Announce(self, name);
        let model = self.load(name)?;
        let slot = Slot::Loaded {
            model: model.clone(),
            last_use: Instant::now(),
            keep: None,
        };
        self.slots().insert(name.to_owned(), slot);
        Ok(model)
    }

    /// [`Pool::get`] on a thread of its own, for any async runtime.
    ///
    /// # Errors
    /// As for [`Pool::get`].
    pub async fn get_async(&self, name: &str) -> Result<Model, Error> {
        if let Some(Slot::Loaded {
            model, last_use, ..
        }) = self.slots().get_mut(name)
        {
            *last_use = Instant::now();
            return Ok(model.clone());
        }
        let (sender, receiver) = async_channel::bounded(1);
        let (pool, name) = (self.clone(), name.to_owned());
        let get = move || {
            // Nobody waits any more if this fails.
            let _ = sender.send_blocking(pool.get(&name));
        };
        let thread = std::thread::Builder::new().name("ingle-load".into());
        thread.spawn(get).map_err(|error| Error::System {
            what: "starting a thread",
            error,
        })?;
        receiver.recv().await.map_err(|_| Error::WorkerGone)?
    }

    /// The model of this name, if it is loaded; this does not count as use.
    pub fn peek(&self, name: &str) -> Option<Model> {
        match self.slots().get(name) {
            Some(Slot::Loaded { model, .. }) => Some(model.clone()),
            _ => None,
        }
    }

    /// Lets a model go; who holds it keeps it. Whether it was there.
    pub fn unload(&self, name: &str) -> bool {
        let mut slots = self.slots();
        match slots.get(name) {
            Some(Slot::Loaded { .. }) => slots.remove(name).is_some(),
            _ => false,
        }
    }

    /// What is there, by name.
    pub fn entries(&self) -> Vec<PoolEntry> {
        let slots = self.slots();
        let entry = |(name, slot): (&String, &Slot)| match slot {
            Slot::Loading => PoolEntry {
                name: name.clone(),
                is_loaded: false,
                is_in_use: true,
                memory: 0,
                idle: Duration::ZERO,
                unloads_in: None,
            },
            Slot::Loaded {
                model,
                last_use,
                keep,
            } => PoolEntry {
                name: name.clone(),
                is_loaded: true,
                is_in_use: model.is_shared(),
                memory: model.info().memory.total(),
                idle: last_use.elapsed(),
                unloads_in: limit(*keep, self.0.idle)
                    .map(|limit| limit.saturating_sub(last_use.elapsed())),
            },
        };
        let mut entries: Vec<PoolEntry> = slots.iter().map(entry).collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        entries
    }

    /// Loads a model, and makes room for it as far as that is possible.
    fn load(&self, name: &str) -> Result<Model, Error> {
        while self.num_loaded() >= self.0.max_models {
            if !self.evict() {
                let max_models = self.0.max_models;
                return Err(Error::PoolFull { max_models });
            }
        }
        loop {
            let mut builder = (self.0.configure)(Model::builder(name));
            let budget = memory::budget(self.0.memory, memory::available().as_ref());
            if let Some(budget) = budget.filter(|_| self.0.memory.is_some()) {
                builder = builder.memory(budget.bytes.saturating_sub(self.taken()));
            }
            // Mapping a file takes milliseconds: it is tried, and what is known by then decides.
            let loaded = builder.load();
            let fits = match &loaded {
                Ok(model) => model.info().placement == Placement::Mapped,
                Err(Error::Memory { .. } | Error::QuantMemory { .. }) => false,
                Err(Error::Load(model::LoadError::Memory { .. })) => false,
                Err(_) => true,
            };
            if fits || self.num_loaded() == 0 {
                return loaded;
            }
            drop(loaded);
            if !self.evict() {
                // All others are in use: rather a model that is read from disk than none.
                return (self.0.configure)(Model::builder(name))
                    .memory(self.left())
                    .load();
            }
        }
    }

    /// Bytes that loaded models take.
    fn taken(&self) -> u64 {
        let entries = self.entries();
        entries.iter().map(|entry| entry.memory).sum()
    }

    fn left(&self) -> u64 {
        let budget = memory::budget(self.0.memory, memory::available().as_ref());
        let bytes = budget.map_or(u64::MAX, |budget| budget.bytes);
        match self.0.memory {
            Some(_) => bytes.saturating_sub(self.taken()),
            // What is free is what others have left.
            None => bytes,
        }
    }

    fn num_loaded(&self) -> usize {
        let slots = self.slots();
        let loaded = |slot: &&Slot| matches!(slot, Slot::Loaded { .. });
        slots.values().filter(loaded).count()
    }

    /// Lets the model go that nobody holds and that was asked for longest ago. Whether there was one.
    fn evict(&self) -> bool {
        let mut slots = self.slots();
        let candidates = slots.iter().filter_map(|(name, slot)| match slot {
            Slot::Loaded {
                model, last_use, ..
            } if !model.is_shared() => Some((*last_use, name)),
            _ => None,
        });
        let Some((_, name)) = candidates.min() else {
            return false;
        };
        let name = name.clone();
        slots.remove(&name).is_some()
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<String, Slot>> {
        self.0.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a load, well or not.
struct Announce<'a>(&'a Pool, &'a str);

impl Drop for Announce<'_> {
    fn drop(&mut self) {
        let mut slots = self.0.slots();
        if matches!(slots.get(self.1), Some(Slot::Loading)) {
            slots.remove(self.1);
        }
        self.0.0.changed.notify_all();
    }
}
