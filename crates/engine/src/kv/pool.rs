//! The KV blocks: who holds which, and which are free.
//!
//! A block that nobody holds keeps its content until its room is needed, so all free memory is prefix cache, and
//! its bound is that of the pool. The block that was let go longest ago is given out first; a text lets go of
//! its last block first, so a block never goes before those that come after it in the tree.

use std::collections::BTreeMap;

use model::BLOCK_TOKENS;

use super::tree::{Serial, Tree};

/// All blocks of a cache.
pub(crate) struct BlockPool {
    /// How many sequences hold each.
    holders: Vec<u32>,
    /// Blocks that hold nothing.
    empty: Vec<u32>,
    /// Blocks that nobody holds but that can be found, by when they were let go.
    idle: BTreeMap<u64, u32>,
    /// For blocks in `idle`, where.
    since: Vec<u64>,
    clock: u64,
    tree: Tree,
}

/// A sequence's KV blocks, in order of position.
#[derive(Debug)]
pub(crate) struct BlockTable {
    pub(crate) blocks: Vec<u32>,
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
        Self {
            blocks: Vec::with_capacity(max_seq_len.div_ceil(BLOCK_TOKENS)),
            num_recorded: 0,
            root,
            last: root,
        }
    }

    /// What it stands under: different for each salt.
    pub(crate) fn root(&self) -> Serial {
        self.root
    }
}

/// What of a prompt was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hit {
    /// Tokens that need not be computed.
    pub(crate) num_tokens: usize,
    /// A block to copy, and the block of the table that is to become its copy.
    pub(crate) copy: Option<(u32, u32)>,
}

impl BlockPool {
    pub(crate) fn new(num_blocks: usize) -> Self {
        Self {
            holders: vec![0; num_blocks],
            empty: (0..num_blocks as u32).rev().collect(),
            idle: BTreeMap::new(),
            since: vec![0; num_blocks],
            clock: 0,
            tree: Tree::new(num_blocks),
        }
    }

    pub(crate) fn num_blocks(&self) -> usize {
        self.holders.len()
    }

    /// Blocks that can be given out.
    pub(crate) fn num_free(&self) -> usize {
        self.empty.len() + self.idle.len()
    }

    /// Blocks that somebody holds.
    pub(crate) fn num_held(&self) -> usize {
        self.num_blocks() - self.num_free()
    }

    /// The root of texts with this salt; they find what others with it computed, and nothing else.
    pub(crate) fn root(&mut self, salt: &str) -> Serial {
        self.tree.root(salt)
    }

    /// The blocks in which the beginning of `tokens` is found, and its length; without taking anything.
    pub(crate) fn peek(&self, root: Serial, tokens: &[u32]) -> (Vec<u32>, usize) {
        let (mut parent, mut blocks, mut len) = (root, Vec::new(), 0);
        while let Some(found) = self.tree.find(parent, &tokens[len..]) {
            blocks.push(found.block);
            len += found.len;
            parent = found.serial;
            if found.len < BLOCK_TOKENS {
                break;
            }
        }
        (blocks, len)
    }

    /// Fills an empty table with what is found of `tokens`: whole blocks are shared, one more may be copied.
    pub(crate) fn reuse(&mut self, table: &mut BlockTable, tokens: &[u32]) -> Hit {
        assert!(table.blocks.is_empty(), "a table is filled once");
        let mut hit = Hit::default();
        while let Some(found) = self.tree.find(table.last, &tokens[hit.num_tokens..]) {
            if found.len < BLOCK_TOKENS {
                // What follows will be written here, while somebody may read the original.
                self.hold(found.block);
                if let Some(own) = self.take() {
                    table.blocks.push(own);
                    hit.copy = Some((found.block, own));
                    hit.num_tokens += found.len;
                }
                // Nothing is given out before the copy is made.
                self.let_go(found.block);
                break;
            }
            self.hold(found.block);
            table.blocks.push(found.block);
            table.num_recorded += 1;
            table.last = found.serial;
            hit.num_tokens += BLOCK_TOKENS;
        }
        hit
    }

    /// Adds blocks until `table` has room for `num_tokens`; false if there are too few, which it then keeps.
    pub(crate) fn grow(&mut self, table: &mut BlockTable, num_tokens: usize) -> bool {
        while table.blocks.len() * BLOCK_TOKENS < num_tokens {
            let Some(block) = self.take() else {
                return false;
            };
            table.blocks.push(block);
        }
        true
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
                self.hold(twin.block);
                table.blocks[at] = twin.block;
                table.last = twin.serial;
                self.tree.forget(block);
                self.let_go(block);
            } else {
                table.last = self.tree.record(block, table.last, held);
            }
            table.num_recorded += 1;
        }
    }

    /// Takes all blocks back; their content can still be found.
    pub(crate) fn release(&mut self, table: &mut BlockTable) {
        while let Some(block) = table.blocks.pop() {
            self.let_go(block);
        }
        (table.num_recorded, table.last) = (0, table.root);
    }

    /// Forgets all that nobody holds.
    pub(crate) fn clear(&mut self) {
        while let Some((_, block)) = self.idle.pop_first() {
            self.tree.forget(block);
            self.empty.push(block);
        }
    }

    fn take(&mut self) -> Option<u32> {
        let block = match self.empty.pop() {
            Some(block) => block,
            None => self.idle.pop_first()?.1,
        };
        self.tree.forget(block);
        self.holders[block as usize] = 1;
        Some(block)
    }

    fn hold(&mut self, block: u32) {
        let at = block as usize;
        if self.holders[at] == 0 {
            self.idle.remove(&self.since[at]);
        }
        self.holders[at] += 1;
    }

    fn let_go(&mut self, block: u32) {
        let at = block as usize;
        assert!(self.holders[at] > 0, "a block is let go by who holds it");
        self.holders[at] -= 1;
        if self.holders[at] > 0 {
            return;
        }
        if self.tree.holds(block) {
            self.clock += 1;
            self.since[at] = self.clock;
            self.idle.insert(self.clock, block);
        } else {
            self.empty.push(block);
        }
    }

    /// # Panics
    /// If the books are wrong: for tests and simulations.
    pub(crate) fn check<'t>(&self, tables: impl Iterator<Item = &'t BlockTable>) {
        let mut holders = vec![0; self.num_blocks()];
        for table in tables {
            for &block in &table.blocks {
                holders[block as usize] += 1;
            }
        }
        assert_eq!(holders, self.holders, "every holder is a table");
        let mut free = vec![false; self.num_blocks()];
        for &block in self.empty.iter().chain(self.idle.values()) {
            assert!(!free[block as usize], "a block is free once");
            free[block as usize] = true;
        }
        for (&free, &holders) in free.iter().zip(&holders) {
            assert_eq!(free, holders == 0, "a block is free or held");
        }
        assert!(self.empty.iter().all(|&block| !self.tree.holds(block)));
        assert!(self.idle.values().all(|&block| self.tree.holds(block)));
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
        let mut pool = BlockPool::new(20);
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
        let mut pool = BlockPool::new(8);
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
    fn the_longest_unused_goes_first_and_last_blocks_before_first() {
        let mut pool = BlockPool::new(4);
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
