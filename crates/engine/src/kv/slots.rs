//! Blocks of one kind: how many hold each, and which are free.

use std::collections::BTreeMap;

/// What an idle block is worth: those of little worth are given out first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Worth {
    /// A text went on past it.
    Little,
    /// A text may be taken up there.
    Much,
}

/// Who holds which block. One that nobody holds is *idle* while what it holds can be found, and else *empty*.
pub(super) struct Slots {
    holders: Vec<u32>,
    empty: Vec<u32>,
    /// In the order in which they are given out: by worth, then by when they were let go.
    idle: BTreeMap<(Worth, u64), u32>,
    /// For blocks in `idle`, where.
    since: Vec<(Worth, u64)>,
    clock: u64,
}

impl Slots {
    pub(super) fn new(num_blocks: usize) -> Self {
        Self {
            holders: vec![0; num_blocks],
            empty: (0..num_blocks as u32).rev().collect(),
            idle: BTreeMap::new(),
            since: vec![(Worth::Little, 0); num_blocks],
            clock: 0,
        }
    }

    pub(super) fn num_blocks(&self) -> usize {
        self.holders.len()
    }

    /// Blocks that can be given out.
    pub(super) fn num_free(&self) -> usize {
        self.empty.len() + self.idle.len()
    }

    /// Blocks that nobody holds and whose content can be found.
    pub(super) fn num_idle(&self) -> usize {
        self.idle.len()
    }

    /// A block for who asks; whatever it holds must be forgotten.
    pub(super) fn take(&mut self) -> Option<u32> {
        let block = self.empty.pop().or_else(|| self.take_idle())?;
        self.holders[block as usize] = 1;
        Some(block)
    }

    fn take_idle(&mut self) -> Option<u32> {
        self.idle.pop_first().map(|(_, block)| block)
    }

    /// Empties the idle block that would be given out next; the others stay.
    pub(super) fn empty_idle(&mut self) -> Option<u32> {
        let block = self.take_idle()?;
        self.empty.push(block);
        Some(block)
    }

    pub(super) fn hold(&mut self, block: u32) {
        let at = block as usize;
        if self.holders[at] == 0 {
            self.idle.remove(&self.since[at]);
        }
        self.holders[at] += 1;
    }

    /// One holder less. If it was the last, the block is idle, or empty if it is of no worth; says whether it was.
    pub(super) fn let_go(&mut self, block: u32, worth: Option<Worth>) -> bool {
        let at = block as usize;
        assert!(self.holders[at] > 0, "a block is let go by who holds it");
        self.holders[at] -= 1;
        if self.holders[at] > 0 {
            return false;
        }
        match worth {
            Some(worth) => {
                self.clock += 1;
                self.since[at] = (worth, self.clock);
                self.idle.insert(self.since[at], block);
            }
            None => self.empty.push(block),
        }
        true
    }

    /// Empties a block that is idle.
    pub(super) fn forget(&mut self, block: u32) {
        let was_idle = self.idle.remove(&self.since[block as usize]);
        assert_eq!(was_idle, Some(block), "nobody holds what is forgotten");
        self.empty.push(block);
    }

    /// # Panics
    /// If the books are wrong, `held` being all that is held and `holds` what can be found: for tests and simulations.
    pub(super) fn check(&self, held: impl Iterator<Item = u32>, holds: impl Fn(u32) -> bool) {
        let mut holders = vec![0; self.num_blocks()];
        held.for_each(|block| holders[block as usize] += 1);
        assert_eq!(holders, self.holders, "every holder is a table");
        let mut free = vec![false; self.num_blocks()];
        for &block in self.empty.iter().chain(self.idle.values()) {
            assert!(!free[block as usize], "a block is free once");
            free[block as usize] = true;
        }
        for (&free, &holders) in free.iter().zip(&holders) {
            assert_eq!(free, holders == 0, "a block is free or held");
        }
        assert!(self.empty.iter().all(|&block| !holds(block)));
        assert!(self.idle.values().all(|&block| holds(block)));
    }
}
