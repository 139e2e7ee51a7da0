//! Slots of recurrent states: one for each sequence that runs, and what is kept of others for later.
//!
//! A state is of one position: it serves a text that begins with exactly the tokens it comes after. So it is kept where
//! a text is likely to be taken up again: behind a prompt, and where a sequence ends or is preempted. The state that was
//! used longest ago makes room.

use super::tree::Serial;

/// All slots of a cache.
pub(crate) struct StatePool {
    /// Whether states are worth keeping: whether the model has any.
    keeps: bool,
    /// How many may be kept.
    most: usize,
    /// Slots that hold nothing.
    empty: Vec<u32>,
    /// The one used longest ago first.
    kept: Vec<Kept>,
}

struct Kept {
    /// Of its salt.
    root: Serial,
    tokens: Vec<u32>,
    slot: u32,
}

/// Texts shorter than this are computed anew.
const SHORTEST: usize = 16;

impl StatePool {
    /// As many slots as there are; without states, as many as `max_running`, of which nothing is kept.
    pub(crate) fn new(num_states: Option<usize>, max_running: usize) -> Self {
        let num_slots = num_states.unwrap_or(max_running) as u32;
        Self {
            keeps: num_states.is_some(),
            most: usize::MAX,
            empty: (0..num_slots).rev().collect(),
            kept: Vec::new(),
        }
    }

    /// Whether the model has states.
    pub(crate) fn keeps(&self) -> bool {
        self.keeps
    }

    /// From now on so many states at most are kept; otherwise as many as there is room for.
    pub(crate) fn keep_at_most(&mut self, states: usize) {
        self.most = states;
        self.forget_excess();
    }

    fn forget_excess(&mut self) {
        while self.kept.len() > self.most {
            let slot = self.make_room();
            self.empty.extend(slot);
        }
    }

    /// A slot for a sequence.
    ///
    /// # Panics
    /// If all are with sequences: there is one for each that may run.
    pub(crate) fn take(&mut self) -> u32 {
        let slot = self.empty.pop().or_else(|| self.make_room());
        slot.expect("there is a slot for each that may run")
    }

    fn make_room(&mut self) -> Option<u32> {
        (!self.kept.is_empty()).then(|| self.kept.remove(0).slot)
    }

    /// Takes a slot back that holds nothing of use.
    pub(crate) fn give_back(&mut self, slot: u32) {
        self.empty.push(slot);
    }

    /// Takes a slot back that holds the state after `tokens`.
    pub(crate) fn keep(&mut self, root: Serial, tokens: &[u32], slot: u32) {
        if !self.keeps || tokens.len() < SHORTEST || self.has(root, tokens) {
            return self.give_back(slot);
        }
        let tokens = tokens.to_vec();
        self.kept.push(Kept { root, tokens, slot });
        self.forget_excess();
    }

    /// A slot for a copy of a sequence's state after `tokens`; none if it is not worth it or all are taken.
    pub(crate) fn copy_of(&mut self, root: Serial, tokens: &[u32]) -> Option<u32> {
        if !self.keeps || self.most == 0 || tokens.len() < SHORTEST || self.has(root, tokens) {
            return None;
        }
        let slot = self.empty.pop().or_else(|| self.make_room())?;
        self.keep(root, tokens, slot);
        Some(slot)
    }

    fn has(&self, root: Serial, tokens: &[u32]) -> bool {
        let mut kept = self.kept.iter();
        kept.any(|kept| kept.root == root && kept.tokens == tokens)
    }

    /// The state after the longest start of `tokens`: its slot, and how many tokens that is.
    pub(crate) fn find(&mut self, root: Serial, tokens: &[u32]) -> Option<(u32, usize)> {
        let starts = self.kept.iter().enumerate();
        let starts =
            starts.filter(|(_, kept)| kept.root == root && tokens.starts_with(&kept.tokens));
        let (at, _) = starts.max_by_key(|(_, kept)| kept.tokens.len())?;
        let found = self.kept.remove(at);
        let (slot, len) = (found.slot, found.tokens.len());
        self.kept.push(found);
        Some((slot, len))
    }

    /// Forgets all that is kept.
    pub(crate) fn clear(&mut self) {
        self.empty.extend(self.kept.drain(..).map(|kept| kept.slot));
    }

    /// # Panics
    /// If the books are wrong, sequences having `taken`: for tests and simulations.
    pub(crate) fn check(&self, taken: impl Iterator<Item = u32>) {
        let kept = self.kept.iter().map(|kept| kept.slot);
        let mut all: Vec<u32> = taken
            .chain(kept)
            .chain(self.empty.iter().copied())
            .collect();
        all.sort_unstable();
        let expected: Vec<u32> = (0..all.len() as u32).collect();
        assert_eq!(all, expected, "a slot is taken, kept or empty");
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::{ROOT, Tree};
    use super::*;

    #[test]
    fn the_longest_start_is_found_and_the_longest_unused_makes_room() {
        let text: Vec<u32> = (0..60).collect();
        let mut pool = StatePool::new(Some(4), 2);
        let own = pool.take();
        let copy = pool.copy_of(ROOT, &text[..20]).expect("there is room");
        assert_eq!(pool.copy_of(ROOT, &text[..20]), None, "it is there");
        assert_eq!(pool.copy_of(ROOT, &text[..10]), None, "too short");
        pool.keep(ROOT, &text[..40], own);
        assert_eq!(pool.find(ROOT, &text[..50]), Some((own, 40)));
        assert_eq!(pool.find(ROOT, &text[..39]), Some((copy, 20)));
        assert_eq!(pool.find(ROOT, &text[1..]), None);
        let salted = Tree::new(1).root("salt");
        assert_eq!(pool.find(salted, &text), None);
        pool.check([].into_iter());
        // Two are empty; then what was not looked for goes.
        let (a, b, c) = (pool.take(), pool.take(), pool.take());
        assert_eq!(c, own);
        assert_eq!(pool.find(ROOT, &text), Some((copy, 20)));
        pool.check([a, b, c].into_iter());
        pool.clear();
        assert_eq!(pool.find(ROOT, &text), None);
        assert_eq!(pool.take(), copy);
    }

    #[test]
    fn nothing_is_kept_for_models_without_states() {
        let mut pool = StatePool::new(None, 2);
        let slot = pool.take();
        assert_eq!(pool.copy_of(ROOT, &[1; 100]), None);
        pool.keep(ROOT, &[1; 100], slot);
        assert_eq!(pool.find(ROOT, &[1; 101]), None);
        pool.check([].into_iter());
    }
}
