//! What was computed of a text, as bytes: to be kept outside of the cache, and put back.
//!
//! Only what is asked for goes out: positions of a block that belong to other texts are 0. What comes back is found by
//! later requests as if it had been computed here, so it must be of the same model, type of keys and values, and
//! context; who stores it checks that.

use model::{BLOCK_TOKENS, Kept};

use crate::backend::{Backend, Window};
use crate::engine::Engine;
use crate::kv::BlockTable;
use crate::request::{RequestError, check_salt, check_tokens};
use crate::scheduler::Scheduler;

/// A text's keys and values, and its state if the model keeps one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Saved {
    /// The tokens.
    pub tokens: Vec<u32>,
    /// KV blocks in order of position, then those of layers with a window that the next token sees, then the state after
    /// the last token.
    pub bytes: Vec<u8>,
}

/// Why something that was saved cannot be put back.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// It is no text of this model, or longer than one may be.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// Bytes and tokens do not belong together.
    #[error("{num_tokens} tokens take {expected} bytes of keys, values and states, found {found}")]
    Length {
        /// Tokens there are.
        num_tokens: usize,
        /// Bytes that they take.
        expected: usize,
        /// Bytes there are.
        found: usize,
    },
    /// Requests hold so much of the cache that there is no room.
    #[error("{needed} KV blocks are needed, and {free} are free at this moment")]
    NoRoom {
        /// Blocks that are needed.
        needed: usize,
        /// Blocks that nobody holds.
        free: usize,
    },
}

/// How many bytes the parts of a [`Saved`] have.
#[derive(Clone, Copy, Debug)]
pub struct SavedSize {
    block: usize,
    window_block: usize,
    window: Option<Window>,
    state: usize,
}

impl SavedSize {
    /// Of a model.
    pub fn of(backend: &impl Backend) -> Self {
        Self {
            block: backend.block_bytes(Kept::All),
            window_block: backend.block_bytes(Kept::Window),
            window: backend.window(),
            state: backend.state_bytes(),
        }
    }

    /// How many KV blocks and states fit into so many bytes. States come first, since blocks are of no use without; they
    /// get half at most of what is there, and no more of them than `num_states`.
    pub fn within(&self, bytes: u64, num_states: usize) -> (usize, usize) {
        let fit = |bytes: u64, each: usize| match each as u64 {
            0 => usize::MAX,
            each => usize::try_from(bytes / each).unwrap_or(usize::MAX),
        };
        let block = self.block + self.window_block;
        let share = if block > 0 { bytes / 2 } else { bytes };
        let states = fit(share, self.state).min(num_states);
        let left = bytes.saturating_sub(states as u64 * self.state as u64);
        (fit(left, block), states)
    }

    /// All that so many tokens take.
    pub fn bytes(&self, num_tokens: usize) -> usize {
        let num_blocks = num_tokens.div_ceil(BLOCK_TOKENS);
        let num_seen = self.window.map_or(0, |window| {
            num_blocks.saturating_sub(window.first_seen(num_tokens))
        });
        num_blocks * self.block + num_seen * self.window_block + self.state
    }
}

impl<B: Backend> Engine<B> {
    /// Bytes that so many tokens take in a [`Saved`].
    pub fn saved_bytes(&self, num_tokens: usize) -> usize {
        SavedSize::of(&self.backend).bytes(num_tokens)
    }

    /// What the cache holds of the beginning of `tokens` under a salt. If the model keeps a state, that is as much as
    /// there is a state after; it may be nothing.
    pub fn save(&mut self, tokens: &[u32], salt: &str) -> Saved {
        let (blocks, len, state) = self.find_cached(tokens, salt);
        if len == 0 {
            return Saved::default();
        }
        let mut bytes = Vec::with_capacity(self.saved_bytes(len));
        let held = |i: usize| (len - i * BLOCK_TOKENS).min(BLOCK_TOKENS);
        for (i, &block) in blocks.iter().enumerate() {
            bytes.extend(self.backend.block(Kept::All, block, held(i)));
        }
        let pool = &self.scheduler.pool;
        for (i, &block) in blocks.iter().enumerate().skip(pool.first_seen(len)) {
            if let Some(half) = pool.half(block) {
                bytes.extend(self.backend.block(Kept::Window, half, held(i)));
            }
        }
        if let Some(state) = state {
            bytes.extend(self.backend.state(state));
        }
        let tokens = tokens[..len].to_vec();
        Saved { tokens, bytes }
    }

    /// Puts back what was saved, for requests of a salt to find. What is there already stays.
    ///
    /// # Errors
    /// If it cannot be of this model, or there is no room. Nothing has changed then.
    pub fn restore(&mut self, saved: &Saved, salt: &str) -> Result<(), RestoreError> {
        let num_tokens = saved.tokens.len();
        check_salt(salt)?;
        check_tokens("tokens", &saved.tokens, self.backend.vocab_size())?;
        let max_seq_len = self.options().max_seq_len;
        if num_tokens > max_seq_len {
            let error = RequestError::ContextExceeded {
                num_tokens,
                max_seq_len,
            };
            return Err(error.into());
        }
        let (expected, found) = (self.saved_bytes(num_tokens), saved.bytes.len());
        if expected != found {
            return Err(RestoreError::Length {
                num_tokens,
                expected,
                found,
            });
        }
        self.put_back(saved, salt)
    }

    /// The blocks that hold the beginning of `tokens`, how many of them, and the slot of the state after these.
    fn find_cached(&mut self, tokens: &[u32], salt: &str) -> (Vec<u32>, usize, Option<u32>) {
        let Scheduler { pool, states, .. } = &mut self.scheduler;
        let root = pool.root(salt);
        if !states.keeps() {
            let (blocks, len) = pool.peek(root, tokens);
            return (blocks, len, None);
        }
        let Some((slot, len)) = states.find(root, tokens) else {
            return Default::default();
        };
        let (blocks, found) = pool.peek(root, &tokens[..len]);
        match found == len {
            true => (blocks, len, Some(slot)),
            false => Default::default(),
        }
    }

    /// Fills blocks, and a slot of states, with what was saved; they are free and can be found.
    fn put_back(&mut self, saved: &Saved, salt: &str) -> Result<(), RestoreError> {
        let Scheduler { pool, states, .. } = &mut self.scheduler;
        let (root, num_tokens) = (pool.root(salt), saved.tokens.len());
        let (needed, free) = (num_tokens.div_ceil(BLOCK_TOKENS), pool.num_free());
        let mut table = BlockTable::with_capacity(num_tokens, root);
        // Of layers with a window, only what comes next is there.
        pool.leave_behind(&mut table, num_tokens);
        if needed > free || !pool.grow(&mut table, num_tokens) {
            pool.release(&mut table);
            return Err(RestoreError::NoRoom { needed, free });
        }
        let mut state = &saved.bytes[..];
        for (kept, blocks) in [
            (Kept::All, table.blocks.iter().copied()),
            (Kept::Window, table.seen().iter().copied()),
        ] {
            for block in blocks {
                let (bytes, rest) = state.split_at(self.backend.block_bytes(kept));
                self.backend.set_block(kept, block, bytes);
                state = rest;
            }
        }
        if states.keeps()
            && let Some(slot) = states.copy_of(root, &saved.tokens)
        {
            self.backend.set_state(slot, state);
        }
        pool.record(&mut table, &saved.tokens);
        pool.release(&mut table);
        Ok(())
    }
}
