//! What one step computes: tokens with positions, of any number of sequences.

use kernels::{BLOCK_TOKENS, BatchView};

use crate::cache::{Kept, KvCache};

/// A list of tokens. There is no prefill and no decode: a prompt is many tokens, a reply one at a time.
///
/// A sequence's tokens must come in order of position, and everything before them must have been
/// computed, in this batch or an earlier one.
#[derive(Clone, Debug, Default)]
pub struct Batch<'a> {
    /// Token ids.
    pub tokens: Vec<u32>,
    /// Position of each in its sequence.
    pub positions: Vec<u32>,
    /// Index into `block_tables` of each.
    pub sequences: Vec<u32>,
    /// Rows of the batch whose logits are wanted, ascending.
    pub outputs: Vec<usize>,
    /// Rows of the batch whose hidden state is wanted, ascending: what the output matrix would get.
    pub hidden: Vec<usize>,
    /// For each sequence, its KV blocks in order.
    pub block_tables: Vec<&'a [u32]>,
    /// The same for layers with a window: what no token of the batch sees may be anything.
    pub window_tables: Vec<&'a [u32]>,
    /// For each sequence, the slot of its state; of no meaning if the model has none.
    pub states: Vec<u32>,
}

/// A sequence's KV blocks in order, for either kind of layers; a list stands for both.
#[derive(Clone, Copy, Debug)]
pub struct Tables<'a> {
    /// For [`Kept::All`].
    pub all: &'a [u32],
    /// For [`Kept::Window`].
    pub window: &'a [u32],
}

impl<'a, T: AsRef<[u32]> + ?Sized> From<&'a T> for Tables<'a> {
    fn from(blocks: &'a T) -> Self {
        let (all, window) = (blocks.as_ref(), blocks.as_ref());
        Self { all, window }
    }
}

impl<'a> Batch<'a> {
    /// A batch of consecutive tokens of one sequence, the first at `position`, its state in slot 0.
    pub fn of_sequence(tokens: &[u32], position: usize, block_table: &'a [u32]) -> Self {
        let mut batch = Self::default();
        batch.push_sequence(tokens, position, block_table, 0);
        batch
    }

    /// Adds consecutive tokens of one more sequence, whose state is in slot `state`.
    ///
    /// A state must be what the tokens before `position` left; at position 0 it may be anything.
    pub fn push_sequence(
        &mut self,
        tokens: &[u32],
        position: usize,
        tables: impl Into<Tables<'a>>,
        state: u32,
    ) {
        let sequence = self.block_tables.len() as u32;
        let Tables { all, window } = tables.into();
        self.block_tables.push(all);
        self.window_tables.push(window);
        self.states.push(state);
        self.tokens.extend_from_slice(tokens);
        self.positions
            .extend((position..position + tokens.len()).map(|p| p as u32));
        self.sequences.extend(tokens.iter().map(|_| sequence));
    }

    /// The same lists, empty: for the next step, which has other block tables.
    ///
    /// Nothing is allocated, and lists that were as long before do not allocate when they are filled.
    pub fn recycle<'b>(mut self) -> Batch<'b> {
        self.tokens.clear();
        self.positions.clear();
        self.sequences.clear();
        self.outputs.clear();
        self.hidden.clear();
        self.block_tables.clear();
        self.window_tables.clear();
        self.states.clear();
        // Of no elements, but it keeps the room: the two types have one layout, so it is collected in place.
        let block_tables = self.block_tables.into_iter().map(|_| &[][..]).collect();
        let window_tables = self.window_tables.into_iter().map(|_| &[][..]).collect();
        Batch {
            tokens: self.tokens,
            positions: self.positions,
            sequences: self.sequences,
            outputs: self.outputs,
            hidden: self.hidden,
            block_tables,
            window_tables,
            states: self.states,
        }
    }

    /// The tokens that something is read of, ascending; or all.
    pub(crate) fn rows(&self, only_read: bool, rows: &mut Vec<usize>) {
        rows.clear();
        if only_read {
            rows.extend(self.outputs.iter().chain(&self.hidden));
            rows.sort_unstable();
            rows.dedup();
        } else {
            rows.extend(0..self.len());
        }
    }

    /// Number of tokens.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there are no tokens.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    pub(crate) fn view(&self, kept: Kept) -> BatchView<'_> {
        BatchView {
            positions: &self.positions,
            sequences: &self.sequences,
            block_tables: match kept {
                Kept::All => &self.block_tables,
                Kept::Window => &self.window_tables,
            },
            states: &self.states,
        }
    }

    /// # Panics
    /// If the batch does not fit the model: the engine makes batches, users do not.
    pub(crate) fn check(&self, vocab_size: usize, cache: &KvCache) {
        let n = self.tokens.len();
        assert_eq!(
            (self.positions.len(), self.sequences.len()),
            (n, n),
            "one position per token"
        );
        assert!(
            self.tokens.iter().all(|&t| (t as usize) < vocab_size),
            "tokens are of the vocabulary"
        );
        assert!(
            self.outputs.iter().chain(&self.hidden).all(|&row| row < n),
            "outputs are rows of the batch"
        );
        assert_eq!(
            self.states.len(),
            self.block_tables.len(),
            "a state for each sequence"
        );
        if cache.has_state() {
            self.check_states(cache.num_states());
        }
        for (&position, &sequence) in self.positions.iter().zip(&self.sequences) {
            let (sequence, at) = (sequence as usize, position as usize / BLOCK_TOKENS);
            for (tables, kept) in [
                (&self.block_tables, Kept::All),
                (&self.window_tables, Kept::Window),
            ] {
                let block = tables[sequence].get(at);
                assert!(
                    block.is_some_and(|&block| (block as usize) < cache.num_blocks(kept)),
                    "every position has a KV block of the cache"
                );
            }
        }
        let all = self.block_tables.iter().copied().flatten();
        assert!(
            all.copied()
                .all(|b| (b as usize) < cache.num_blocks(Kept::All)),
            "KV blocks are of the cache"
        );
    }

    fn check_states(&self, num_states: usize) {
        for (i, slot) in self.states.iter().enumerate() {
            assert!(
                (*slot as usize) < num_states,
                "slots of states are of the cache"
            );
            assert!(
                !self.states[..i].contains(slot),
                "each sequence has a state of its own"
            );
        }
    }
}
