//! Which replies are computed side by side: llama.cpp's slots, as its clients want to see them.
//!
//! The engine has no slots: replies share one pool of keys and values. But no more than so many are computed at a
//! time, in the order in which they came, and that many numbers are given out here, in the same order.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ingle::SamplerParams;

/// Slots of all models.
pub(crate) struct Slots {
    tables: Mutex<HashMap<String, Table>>,
    num_tasks: AtomicU64,
    /// Whether prompts are remembered when their replies are over.
    remembers: bool,
}

#[derive(Default)]
struct Table {
    slots: Vec<Option<Arc<Task>>>,
    waiting: VecDeque<Arc<Task>>,
    /// What was computed last in each slot.
    prompts: HashMap<usize, Arc<[u32]>>,
}

/// A reply that has a slot, or waits for one.
pub(crate) struct Task {
    pub(crate) id: u64,
    pub(crate) prompt_tokens: usize,
    pub(crate) params: SamplerParams,
    /// If prompts are remembered.
    prompt: Option<Arc<[u32]>>,
    decoded: AtomicUsize,
    slot: AtomicI64,
}

impl Task {
    /// Tokens generated so far.
    pub(crate) fn decoded(&self) -> usize {
        self.decoded.load(Ordering::Relaxed)
    }

    fn sit(self: &Arc<Self>, number: usize) -> Arc<Self> {
        self.slot.store(number as i64, Ordering::Relaxed);
        Arc::clone(self)
    }
}

/// A reply's slot; dropping it makes room for the next.
pub(crate) struct Seat {
    slots: Arc<Slots>,
    model: String,
    task: Arc<Task>,
}

impl Slots {
    pub(crate) fn new(remembers: bool) -> Self {
        Self {
            tables: Mutex::default(),
            num_tasks: AtomicU64::new(0),
            remembers,
        }
    }

    /// A slot for a reply, as soon as one of `num` is free.
    pub(crate) fn enter(
        self: &Arc<Self>,
        model: &str,
        num: usize,
        prompt: &[u32],
        params: SamplerParams,
    ) -> Seat {
        let task = Arc::new(Task {
            id: self.num_tasks.fetch_add(1, Ordering::Relaxed),
            prompt_tokens: prompt.len(),
            params,
            prompt: self.remembers.then(|| prompt.into()),
            decoded: AtomicUsize::new(0),
            slot: AtomicI64::new(-1),
        });
        let mut tables = self.tables();
        let table = tables.entry(model.to_owned()).or_default();
        if table.slots.len() < num {
            table.slots.resize(num, None);
        }
        table.waiting.push_back(Arc::clone(&task));
        table.fill();
        Seat {
            slots: Arc::clone(self),
            model: model.to_owned(),
            task,
        }
    }

    /// The replies in a model's slots.
    pub(crate) fn of(&self, model: &str) -> Vec<Option<Arc<Task>>> {
        let tables = self.tables();
        tables
            .get(model)
            .map_or(Vec::new(), |table| table.slots.clone())
    }

    /// The prompt that was computed last in a slot, if prompts are remembered.
    pub(crate) fn prompt(&self, model: &str, slot: usize) -> Option<Arc<[u32]>> {
        self.tables().get(model)?.prompts.get(&slot).cloned()
    }

    /// Says what is in a slot, which was computed elsewhere; none: nothing.
    pub(crate) fn set_prompt(&self, model: &str, slot: usize, prompt: Option<&[u32]>) {
        let mut tables = self.tables();
        let prompts = &mut tables.entry(model.to_owned()).or_default().prompts;
        match prompt {
            Some(prompt) => prompts.insert(slot, prompt.into()),
            None => prompts.remove(&slot),
        };
    }

    fn tables(&self) -> MutexGuard<'_, HashMap<String, Table>> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn fill(&mut self) {
        for (number, slot) in self.slots.iter_mut().enumerate() {
            if slot.is_none() {
                *slot = self.waiting.pop_front().map(|task| task.sit(number));
                let task = slot.as_ref();
                if let Some(prompt) = task.and_then(|task| task.prompt.clone()) {
                    self.prompts.insert(number, prompt);
                }
            }
        }
    }
}

impl Seat {
    /// The slot's number; -1 as long as there is none.
    pub(crate) fn number(&self) -> i64 {
        self.task.slot.load(Ordering::Relaxed)
    }

    pub(crate) fn set_decoded(&self, num: usize) {
        self.task.decoded.store(num, Ordering::Relaxed);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Seat {
    /// Makes room for the next.
    pub(crate) fn leave(&self) {
        let mut tables = self.slots.tables();
        let Some(table) = tables.get_mut(&self.model) else {
            return;
        };
        table
            .waiting
            .retain(|waiting| !Arc::ptr_eq(waiting, &self.task));
        let mine = |slot: &&mut Option<Arc<Task>>| {
            slot.as_ref()
                .is_some_and(|task| Arc::ptr_eq(task, &self.task))
        };
        if let Some(slot) = table.slots.iter_mut().find(mine) {
            *slot = None;
        }
        table.fill();
        if table.slots.iter().all(Option::is_none) && table.prompts.is_empty() {
            tables.remove(&self.model);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_longest_gets_the_next_slot() {
        let slots = Arc::new(Slots::new(false));
        let enter = || slots.enter("m", 2, &[1, 2, 3], SamplerParams::default());
        let (a, b, c, d) = (enter(), enter(), enter(), enter());
        assert_eq!([&a, &b, &c, &d].map(Seat::number), [0, 1, -1, -1]);
        drop(c);
        drop(b);
        assert_eq!((a.number(), d.number()), (0, 1));
        let busy = slots.of("m");
        assert!(busy.iter().all(Option::is_some));
        drop((a, d));
        assert!(
            slots.of("m").is_empty(),
            "nothing is kept of models at rest"
        );
    }

    #[test]
    fn prompts_are_remembered_if_that_is_wanted() {
        let slots = Arc::new(Slots::new(true));
        drop(slots.enter("m", 2, &[1, 2], SamplerParams::default()));
        assert_eq!(slots.prompt("m", 0).as_deref(), Some(&[1, 2][..]));
        assert_eq!(slots.prompt("m", 1), None);
        slots.set_prompt("m", 1, Some(&[3]));
        slots.set_prompt("m", 0, None);
        assert_eq!(slots.prompt("m", 0), None);
        assert_eq!(slots.prompt("m", 1).as_deref(), Some(&[3][..]));
    }
}
