//! The KV blocks: who holds which, and which are free.
//!
//! A block that nobody holds keeps its content until its room is needed, so all free memory is prefix cache, and
//! its bound is that of the pool. The block that was let go longest ago is given out first; a text lets go of
//! its last block first, so a block never goes before those that come after it in the tree.
//!
//! Where layers see a window, blocks have a second half in a pool of its own (`windows.rs`), and a text lets go of those
//! that no later token sees. The tree and everything else knows whole blocks only. What is found of a prompt then ends
//! where all halves are there that the next token sees; what comes after that place is computed again, with the same
//! bits, and gives its halves to the blocks that are there.

use model::{BLOCK_TOKENS, Tables};

use super::slots::{Slots, Worth};
use super::tree::{Serial, Tree};
use super::windows::{GONE, Windows};
use crate::backend::Window;

/// All blocks of a cache.
pub(crate) struct BlockPool {
    slots: Slots,
    /// How many blocks that nobody holds are kept.
    most_idle: usize,
    tree: Tree,
    /// If there are layers with a window.
    windows: Option<Windows>,
}

/// A sequence's KV blocks, in order of position.
#[derive(Debug)]
pub(crate) struct BlockTable {
    pub(crate) blocks: Vec<u32>,
    /// Their halves for layers with a window, if there are such: from `first_seen` on, the others are gone.
    halves: Vec<u32>,
    first_seen: usize,
    /// How many of them were there already.
    num_found: usize,
    /// How many of them are whole and recorded.
    num_recorded: usize,
    /// What stands for the node before the first.
    root: Serial,
    /// The node of the last that is recorded.
    last: Serial,
}

impl BlockTable {
    /// Room for a whole context under the root of its salt; it does not grow in between.
    pub(crate) fn with_capacity(max_seq_len: usize, root: Serial) -> Self {
        let max_blocks = max_seq_len.div_ceil(BLOCK_TOKENS);
        Self {
            blocks: Vec::with_capacity(max_blocks),
            halves: Vec::with_capacity(max_blocks),
            first_seen: 0,
            num_found: 0,
            num_recorded: 0,
            root,
            last: root,
        }
    }

    /// What it stands under: different for each salt.
    pub(crate) fn root(&self) -> Serial {
        self.root
    }

    /// For a batch.
    pub(crate) fn tables(&self) -> Tables<'_> {
        let all = &self.blocks;
        // Without windows nobody looks there, but for positions' blocks.
        let window = if self.halves.is_empty() {
            all
        } else {
            &self.halves
        };
        Tables { all, window }
    }

    /// Halves that a later token may see; none if there are no such layers.
    pub(crate) fn seen(&self) -> &[u32] {
        self.halves.get(self.first_seen..).unwrap_or_default()
    }

    /// Halves that are there, with their places.
    fn halves(&self) -> impl Iterator<Item = (usize, u32)> {
        (self.first_seen..).zip(self.seen().iter().copied())
    }
}

/// What of a prompt was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hit {
    /// Tokens that need not be computed.
    pub(crate) num_tokens: usize,
    /// A block to copy, and the block of the table that is to become its copy.
    pub(crate) copy: Option<(u32, u32)>,
    /// The same for layers with a window.
    pub(crate) window_copy: Option<(u32, u32)>,
}

impl BlockPool {
    pub(crate) fn new(num_blocks: usize, window: Option<Window>) -> Self {
        Self {
            slots: Slots::new(num_blocks),
            most_idle: usize::MAX,
            tree: Tree::new(num_blocks),
            windows: window.map(|window| Windows::new(window, num_blocks)),
        }
    }

    pub(crate) fn num_blocks(&self) -> usize {
        self.slots.num_blocks()
    }

    /// From now on so many blocks at most are kept that nobody holds; otherwise all.
    pub(crate) fn keep_at_most(&mut self, blocks: usize) {
        self.most_idle = blocks;
        self.forget_idle(blocks);
    }

    /// Forgets what nobody holds, but for so many blocks.
    fn forget_idle(&mut self, most: usize) {
        while self.slots.num_idle() > most
            && let Some(block) = self.slots.empty_idle()
        {
            self.forget(block);
        }
    }

    /// Blocks that can be given out.
    pub(crate) fn num_free(&self) -> usize {
        self.slots.num_free()
    }

    /// Blocks that somebody holds.
    pub(crate) fn num_held(&self) -> usize {
        self.num_blocks() - self.num_free()
    }

    /// Blocks for layers with a window.
    pub(crate) fn num_window_blocks(&self) -> usize {
        self.windows.as_ref().map_or(0, Windows::num_blocks)
    }

    /// Of these, what somebody holds.
    pub(crate) fn num_held_window(&self) -> usize {
        let held = |windows: &Windows| windows.num_blocks() - windows.num_free();
        self.windows.as_ref().map_or(0, held)
    }

    /// Whether a table can grow to `num_tokens`, a chunk at a time, and `spare` blocks are left then.
    pub(crate) fn has_room(&self, table: &BlockTable, num_tokens: usize, spare: usize) -> bool {
        let missing = num_tokens.div_ceil(BLOCK_TOKENS) - table.blocks.len();
        let fits = |windows: &Windows| {
            let most = windows.per_text().saturating_sub(table.seen().len());
            missing.min(most) + spare <= windows.num_free()
        };
        missing + spare <= self.num_free() && self.windows.as_ref().is_none_or(fits)
    }

    /// The root of texts with this salt; they find what others with it computed, and nothing else.
    pub(crate) fn root(&mut self, salt: &str) -> Serial {
        self.tree.root(salt)
    }

    /// The blocks in which the beginning of `tokens` is found, and its length; without taking anything.
    pub(crate) fn peek(&self, root: Serial, tokens: &[u32]) -> (Vec<u32>, usize) {
        let mut blocks = Vec::new();
        let len = self.find(root, tokens, &mut blocks);
        (blocks, len)
    }

    /// Adds the blocks in which the beginning of `tokens` is found, as far as it can be gone on from; its length.
    fn find(&self, root: Serial, tokens: &[u32], blocks: &mut Vec<u32>) -> usize {
        let (mut parent, mut len, mut found_len) = (root, 0, BLOCK_TOKENS);
        // The first block from which on all have their halves, and how far one can go on.
        let (mut unbroken, mut usable) = (0, 0);
        while found_len == BLOCK_TOKENS
            && let Some(found) = self.tree.find(parent, &tokens[len..])
        {
            blocks.push(found.block);
            (parent, found_len) = (found.serial, found.len);
            len += found.len;
            if !self.has_half(found.block) {
                unbroken = blocks.len();
            }
            if self.first_seen(len) >= unbroken {
                usable = len;
            }
        }
        blocks.truncate(usable.div_ceil(BLOCK_TOKENS));
        usable
    }

    fn has_half(&self, block: u32) -> bool {
        let windows = self.windows.as_ref();
        windows.is_none_or(|windows| windows.of(block).is_some())
    }

    /// Of a text's blocks the first of which layers with a window still need something for the token at `position`.
    pub(crate) fn first_seen(&self, position: usize) -> usize {
        let windows = self.windows.as_ref();
        windows.map_or(0, |windows| windows.first_seen(position))
    }

    /// The half of a block for layers with a window.
    pub(crate) fn half(&self, block: u32) -> Option<u32> {
        self.windows.as_ref()?.of(block)
    }

    /// Fills an empty table with what is found of `tokens`: whole blocks are shared, one more may be copied.
    pub(crate) fn reuse(&mut self, table: &mut BlockTable, tokens: &[u32]) -> Hit {
        assert!(table.blocks.is_empty(), "a table is filled once");
        let num_tokens = self.find(table.root, tokens, &mut table.blocks);
        let whole = num_tokens / BLOCK_TOKENS;
        (table.num_found, table.first_seen) = (whole, self.first_seen(num_tokens));
        for at in 0..table.blocks.len() {
            let block = table.blocks[at];
            self.slots.hold(block);
            if let Some(windows) = &mut self.windows {
                let half = windows.of(block).filter(|_| at >= table.first_seen);
                half.into_iter().for_each(|half| windows.hold(half));
                table.halves.push(half.unwrap_or(GONE));
            }
        }
        for at in 0..whole {
            let held = &tokens[at * BLOCK_TOKENS..][..BLOCK_TOKENS];
            let found = self.tree.find(table.last, held);
            table.last = found.expect("it was found a moment ago").serial;
        }
        table.num_recorded = whole;
        let mut hit = Hit {
            num_tokens,
            ..Hit::default()
        };
        if whole == table.blocks.len() {
            return hit;
        }
        // What follows will be written there, while somebody may read the original.
        let original = table.blocks.pop().expect("one is not whole");
        let half = table.halves.pop();
        let own = self.take(table.blocks.len() >= table.first_seen);
        // Nothing is given out before the copy is made.
        self.let_go(original, half);
        let Some((own, own_half)) = own else {
            self.release(table);
            return self.reuse(table, &tokens[..whole * BLOCK_TOKENS]);
        };
        table.blocks.push(own);
        hit.copy = Some((original, own));
        if let Some(half) = half {
            table.halves.push(own_half);
            hit.window_copy = Some((half, own_half)).filter(|_| half != GONE);
        }
        hit
    }

    /// Adds blocks until `table` has room for `num_tokens`; false if there are too few, which it then keeps.
    pub(crate) fn grow(&mut self, table: &mut BlockTable, num_tokens: usize) -> bool {
        while table.blocks.len() * BLOCK_TOKENS < num_tokens {
            let Some((block, half)) = self.take(table.blocks.len() >= table.first_seen) else {
                return false;
            };
            table.blocks.push(block);
            if self.windows.is_some() {
                table.halves.push(half);
            }
        }
        true
    }

    /// Lets go of what layers with a window keep and no token from `position` on sees. The table must not be cut back
    /// behind that.
    pub(crate) fn leave_behind(&mut self, table: &mut BlockTable, position: usize) {
        let Some(windows) = &mut self.windows else {
            return;
        };
        let first = windows.first_seen(position);
        for at in table.first_seen..first.min(table.blocks.len()) {
            let half = std::mem::replace(&mut table.halves[at], GONE);
            // What was found once may be again.
            let worth = match at < table.num_found {
                true => Worth::Much,
                false => Worth::Little,
            };
            let can_be_found = self.tree.holds(table.blocks[at]);
            windows.let_go(half, can_be_found.then_some(worth));
        }
        table.first_seen = table.first_seen.max(first);
    }

    /// Lets others find what is computed: `tokens` is all of it, from the start of the text.
    pub(crate) fn record(&mut self, table: &mut BlockTable, tokens: &[u32]) {
        for at in table.num_recorded..tokens.len().div_ceil(BLOCK_TOKENS) {
            let (start, block) = (at * BLOCK_TOKENS, table.blocks[at]);
            let held = &tokens[start..tokens.len().min(start + BLOCK_TOKENS)];
            if held.len() < BLOCK_TOKENS {
                self.tree.record(block, table.last, held);
                return;
            }
            // Two texts may have computed the same side by side; one copy is enough.
            let twin = self.tree.find(table.last, held);
            let twin = twin.filter(|twin| twin.len == BLOCK_TOKENS && twin.block != block);
            if let Some(twin) = twin {
                self.slots.hold(twin.block);
                table.blocks[at] = twin.block;
                table.last = twin.serial;
                if let Some(windows) = &mut self.windows
                    && table.halves[at] != GONE
                {
                    table.halves[at] = windows.move_to(table.halves[at], twin.block);
                }
                self.tree.forget(block);
                self.let_go(block, None);
            } else {
                table.last = self.tree.record(block, table.last, held);
            }
            table.num_recorded += 1;
        }
    }

    /// Takes all blocks back; their content can still be found.
    pub(crate) fn release(&mut self, table: &mut BlockTable) {
        while let Some(block) = table.blocks.pop() {
            let half = table.halves.pop();
            self.let_go(block, half);
        }
        (table.num_found, table.num_recorded, table.first_seen) = (0, 0, 0);
        table.last = table.root;
    }

    /// Forgets all that nobody holds.
    pub(crate) fn clear(&mut self) {
        self.forget_idle(0);
    }

    /// A block, and its half if layers with a window have something to put there.
    fn take(&mut self, is_seen: bool) -> Option<(u32, u32)> {
        let block = self.slots.take()?;
        self.forget(block);
        let half = match &mut self.windows {
            Some(windows) if is_seen => windows.take(block),
            _ => Some(GONE),
        };
        if half.is_none() {
            self.slots.let_go(block, None);
        }
        Some((block, half?))
    }

    fn forget(&mut self, block: u32) {
        self.tree.forget(block);
        if let Some(windows) = &mut self.windows {
            windows.forget(block);
        }
    }

    /// At the end of a text.
    fn let_go(&mut self, block: u32, half: Option<u32>) {
        let worth = self.tree.holds(block).then_some(Worth::Much);
        if let (Some(windows), Some(half)) = (&mut self.windows, half.filter(|&half| half != GONE))
        {
            windows.let_go(half, worth);
        }
        self.slots.let_go(block, worth);
        self.forget_idle(self.most_idle);
    }

    /// # Panics
    /// If the books are wrong: for tests and simulations.
    pub(crate) fn check<'t>(&self, tables: impl Iterator<Item = &'t BlockTable> + Clone) {
        let blocks = tables.clone().flat_map(|table| &table.blocks);
        self.slots
            .check(blocks.copied(), |block| self.tree.holds(block));
        let halves = tables.clone().flat_map(BlockTable::halves);
        let Some(windows) = &self.windows else {
            assert_eq!(halves.count(), 0);
            return;
        };
        windows.check(halves.map(|(_, half)| half), |block| self.tree.holds(block));
        for table in tables {
            assert_eq!(table.halves.len(), table.blocks.len());
            let is_gone = |&half: &u32| half == GONE;
            assert!(!table.seen().iter().any(is_gone), "what is seen is there");
            assert!(table.halves.iter().take(table.first_seen).all(is_gone));
            for (at, half) in table.halves() {
                assert_eq!(windows.of(table.blocks[at]), Some(half));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::ROOT;
    use super::*;

    fn text(len: usize, seed: u32) -> Vec<u32> {
        (0..len as u32).map(|i| i.wrapping_mul(seed) % 7).collect()
    }

    /// Computes `tokens` and keeps them.
    fn compute(pool: &mut BlockPool, tokens: &[u32]) -> (BlockTable, Hit) {
        let mut table = BlockTable::with_capacity(1024, ROOT);
        let hit = pool.reuse(&mut table, &tokens[..tokens.len() - 1]);
        assert!(pool.grow(&mut table, tokens.len()));
        pool.record(&mut table, tokens);
        (table, hit)
    }

    #[test]
    fn a_common_start_is_shared_and_the_rest_of_a_block_copied() {
        let mut pool = BlockPool::new(20, None);
        let first = text(200, 3);
        let (mut a, hit) = compute(&mut pool, &first);
        assert_eq!((hit.num_tokens, a.blocks.len()), (0, 4));
        let mut second = first[..150].to_vec();
        second.extend([99; 30]);
        let (b, hit) = compute(&mut pool, &second);
        assert_eq!(hit.num_tokens, 150);
        assert_eq!(b.blocks[..2], a.blocks[..2]);
        assert_eq!(hit.copy, Some((a.blocks[2], b.blocks[2])));
        // The same text: all but its last token, in a copy of the last block.
        let (c, hit) = compute(&mut pool, &first);
        assert_eq!((hit.num_tokens, &c.blocks[..3]), (199, &a.blocks[..3]));
        pool.check([&a, &b, &c].into_iter());
        // What was let go is still found.
        pool.release(&mut a);
        assert_eq!(pool.peek(ROOT, &first).1, 200);
        pool.check([&a, &b, &c].into_iter());
    }

    #[test]
    fn texts_computed_side_by_side_become_one() {
        let mut pool = BlockPool::new(8, None);
        let tokens = text(130, 3);
        let (mut a, mut b) = (
            BlockTable::with_capacity(1024, ROOT),
            BlockTable::with_capacity(1024, ROOT),
        );
        for table in [&mut a, &mut b] {
            assert_eq!(pool.reuse(table, &tokens).num_tokens, 0);
            assert!(pool.grow(table, 130));
        }
        for len in [40, 100, 130] {
            pool.record(&mut a, &tokens[..len]);
            pool.record(&mut b, &tokens[..len]);
            pool.check([&a, &b].into_iter());
        }
        assert_eq!(a.blocks[..2], b.blocks[..2]);
        assert_eq!(pool.num_held(), 4);
    }

    #[test]
    fn no_more_is_kept_than_may_be() {
        let mut pool = BlockPool::new(8, None);
        pool.keep_at_most(1);
        let tokens = text(200, 3);
        let (mut a, _) = compute(&mut pool, &tokens);
        assert_eq!(pool.peek(ROOT, &tokens).1, 200, "what is held can be found");
        pool.release(&mut a);
        assert_eq!((pool.peek(ROOT, &tokens).1, pool.num_free()), (64, 8));
        pool.keep_at_most(0);
        assert_eq!(pool.peek(ROOT, &tokens).1, 0);
        pool.check([&a].into_iter());
    }

    #[test]
    fn the_longest_unused_goes_first_and_last_blocks_before_first() {
        let mut pool = BlockPool::new(4, None);
        let (old, new) = (text(128, 3), text(128, 5));
        let (mut a, _) = compute(&mut pool, &old);
        let (mut b, _) = compute(&mut pool, &new);
        pool.release(&mut a);
        pool.release(&mut b);
        let mut c = BlockTable::with_capacity(1024, ROOT);
        assert!(pool.grow(&mut c, 64));
        assert_eq!(
            (pool.peek(ROOT, &old).1, pool.peek(ROOT, &new).1),
            (64, 128)
        );
        assert!(pool.grow(&mut c, 128));
        // Its first token is that of the other.
        assert_eq!((pool.peek(ROOT, &old).1, pool.peek(ROOT, &new).1), (1, 128));
        assert!(!pool.grow(&mut c, 64 * 5), "there are four");
        assert_eq!(pool.num_free(), 0);
        pool.release(&mut c);
        assert_eq!(pool.peek(ROOT, &new).1, 0, "nothing of it is left");
        pool.check([&a, &b, &c].into_iter());
    }
}
