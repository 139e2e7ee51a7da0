//! Guesses of a second, smaller model of the same vocabulary.
//!
//! It reads what is known of a text and then writes on, a token a step, all texts side by side. A guess is drawn as the
//! text's own sampler would draw it, with the same random number: where the two models agree on the distribution, they
//! then agree on the token. A token that was guessed wrongly is overwritten, keys and values with it.
//!
//! What it has computed of prompts is found again by later texts, as in the large model's cache.

use std::collections::HashMap;
use std::time::Duration;

use model::{BLOCK_TOKENS, Batch, Kept};

use super::Costs;
use crate::backend::Backend;
use crate::kv::{BlockPool, BlockTable};
use crate::sequence::{Sequence, SequenceId};
use crate::task::Task;

/// Tokens of a text that are read beside a step, until the text can be guessed.
const CHUNK: usize = 128;

/// The second model, and what it has computed of each text.
pub(crate) struct Drafter {
    backend: Box<dyn Backend + Send>,
    pool: BlockPool,
    texts: HashMap<SequenceId, Text>,
    lists: Batch<'static>,
    /// Those that get guesses in the step at hand, by their place among those that run.
    places: Vec<usize>,
    most_positions: usize,
    /// Whether it was worth its time when it was last thought of.
    pub(crate) pays: bool,
}

/// What is computed of a text.
struct Text {
    tokens: Vec<u32>,
    table: BlockTable,
}

impl Drafter {
    /// Guesses by `backend`, for texts of up to `max_seq_len` tokens as far as it takes them.
    ///
    /// # Panics
    /// If it keeps a state, which could not be taken back.
    pub(crate) fn new(backend: Box<dyn Backend + Send>, max_seq_len: usize) -> Self {
        assert!(backend.num_states().is_none(), "guesses are taken back");
        let room = backend.num_blocks() * BLOCK_TOKENS;
        Self {
            pool: BlockPool::new(backend.num_blocks(), backend.window()),
            backend,
            texts: HashMap::new(),
            lists: Batch::default(),
            places: Vec::new(),
            most_positions: max_seq_len.min(room),
            pays: true,
        }
    }

    /// Keeps no more of texts that are over than so many blocks.
    pub(crate) fn keep_at_most(&mut self, blocks: usize) {
        self.pool.keep_at_most(blocks);
    }

    /// The text is over.
    pub(crate) fn forget(&mut self, id: SequenceId) {
        if let Some(mut text) = self.texts.remove(&id) {
            self.pool.release(&mut text.table);
        }
    }

    /// Guesses for those texts that have none, as far as that is worth its time beside `tokens` tokens of the step, which
    /// is expected to give `expected` and has room for `rows` rows of logits. False if the model's weights cannot be read: then it is of no more use.
    pub(crate) fn draft(
        &mut self,
        running: &mut [Sequence],
        tasks: &mut HashMap<SequenceId, Task>,
        costs: &mut Costs,
        (tokens, expected): (usize, f64),
        rows: usize,
        clock: &mut dyn FnMut() -> Duration,
    ) -> bool {
        self.places.clear();
        let mut most = 0;
        for (place, sequence) in running.iter().enumerate() {
            let room = tasks.get(&sequence.id).map_or(0, Task::room_for_guesses);
            let room = room.min(self.most_positions.saturating_sub(sequence.known().len()));
            if !sequence.is_catching_up && sequence.drafts().is_empty() && room > 0 {
                self.places.push(place);
                most = most.max(room);
            }
        }
        self.places.truncate(self.backend.max_outputs());
        // Guesses that found no row would be for nothing.
        let most = most.min(rows.saturating_sub(tokens) / self.places.len().max(1));
        let len = costs.model_draft_len(self.places.len(), most, tokens, expected);
        if most > 0 {
            self.pays = len > 0;
        }
        let takes = |place: &usize| {
            tasks
                .get(&running[*place].id)
                .is_some_and(|task| task.takes_guesses(len))
        };
        self.places.retain(takes);
        for round in 0..len {
            let start = clock();
            match self.round(running, tasks, round) {
                Ok(0) => {}
                Ok(computed) => {
                    costs.record_model_step(computed, clock().saturating_sub(start));
                }
                Err(_) => return false,
            }
            if self.places.is_empty() {
                break;
            }
        }
        true
    }

    /// One more guess for each text at hand. How many tokens that took, if texts had no more than two to read; else 0.
    fn round(
        &mut self,
        running: &mut [Sequence],
        tasks: &mut HashMap<SequenceId, Task>,
        round: usize,
    ) -> Result<usize, model::ReadError> {
        let mut left = self.backend.max_tokens();
        let mut places = std::mem::take(&mut self.places);
        places.retain(|&place| {
            let sequence = &running[place];
            let task = tasks.get(&sequence.id);
            let has_room = task.is_some_and(|task| round < task.room_for_guesses())
                && sequence.tokens().len() < self.most_positions;
            has_room && self.prepare(sequence, &mut left)
        });
        self.places = places;
        let mut batch = std::mem::take(&mut self.lists).recycle();
        for &place in &self.places {
            let sequence = &running[place];
            let text = &self.texts[&sequence.id];
            let start = text.tokens.len();
            let end = sequence.tokens().len().min(start + self.chunk());
            let tokens = &sequence.tokens()[start..end];
            batch.push_sequence(tokens, start, text.table.tables(), 0);
            if end == sequence.tokens().len() {
                batch.outputs.push(batch.len() - 1);
            }
        }
        let num_tokens = batch.len();
        let result = match num_tokens {
            0 => Ok(()),
            _ => self.backend.forward(&batch),
        };
        self.lists = batch.recycle();
        result?;
        let is_usual = num_tokens <= 2 * self.places.len();
        self.take_guesses(running, tasks, round);
        Ok(if is_usual { num_tokens } else { 0 })
    }

    /// Of each text at hand, notes what is computed and adds the guess; drops those that are not read yet.
    fn take_guesses(
        &mut self,
        running: &mut [Sequence],
        tasks: &mut HashMap<SequenceId, Task>,
        round: usize,
    ) {
        let (vocab_size, chunk) = (self.backend.vocab_size(), self.chunk());
        let mut rows = self.backend.logits().chunks_exact(vocab_size);
        let mut places = std::mem::take(&mut self.places);
        places.retain(|&place| {
            let sequence = &mut running[place];
            let text = self.texts.get_mut(&sequence.id).expect("it is prepared");
            let start = text.tokens.len();
            let end = sequence.tokens().len().min(start + chunk);
            let computed = &sequence.tokens()[start..end];
            text.tokens.extend_from_slice(computed);
            if round == 0 {
                // What is known is never taken back, but its last token may be computed again.
                self.pool.record(&mut text.table, &text.tokens);
                self.pool
                    .leave_behind(&mut text.table, text.tokens.len() - 1);
            }
            if end < sequence.tokens().len() {
                return false;
            }
            let logits = rows.next().expect("a row for each that is read");
            let task = tasks
                .get_mut(&sequence.id)
                .expect("it has room for guesses");
            let guess = task.guess(logits, sequence.tokens(), round == 0);
            sequence.draft(&[guess]);
            true
        });
        self.places = places;
    }

    /// Most tokens of a text that a round computes.
    fn chunk(&self) -> usize {
        CHUNK.min(self.backend.max_tokens())
    }

    /// Takes back what was guessed wrongly, and makes room for what comes; false if there is none, or no place in a step
    /// that has room for `left` tokens.
    fn prepare(&mut self, sequence: &Sequence, left: &mut usize) -> bool {
        let chunk = self.chunk();
        let text = self.texts.entry(sequence.id).or_insert_with(|| {
            let tokens = Vec::with_capacity(self.most_positions);
            let root = self.pool.root(&sequence.table.root().name());
            let table = BlockTable::with_capacity(self.most_positions, root);
            Text { tokens, table }
        });
        let known = sequence.tokens();
        let common = text.tokens.iter().zip(known).take_while(|(a, b)| a == b);
        // The last token is computed in any case, for its logits.
        let common = common.count().min(known.len() - 1);
        text.tokens.truncate(common);
        if text.table.blocks.is_empty() {
            let hit = self.pool.reuse(&mut text.table, &known[..known.len() - 1]);
            for (copy, kept) in [(hit.copy, Kept::All), (hit.window_copy, Kept::Window)] {
                if let Some((from, to)) = copy {
                    self.backend.copy_block(kept, from, to);
                }
            }
            text.tokens.extend_from_slice(&known[..hit.num_tokens]);
        }
        let missing = (known.len() - text.tokens.len()).min(chunk);
        let end = text.tokens.len() + missing;
        if !self.pool.grow(&mut text.table, end) {
            self.pool.release(&mut text.table);
            text.tokens.clear();
            return false;
        }
        let fits = missing <= *left;
        if fits {
            *left -= missing;
        }
        fits
    }

    /// # Panics
    /// If the books are wrong: for tests.
    pub(crate) fn check(&self) {
        self.pool.check(self.texts.values().map(|text| &text.table));
    }
}
