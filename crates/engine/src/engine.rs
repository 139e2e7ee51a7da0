//! Many requests at once over one model: a step computes for all of them, and each gets its own text.
//!
//! What a request gets depends on nothing but the request: not on who else is there, on how its prompt was cut,
//! on what was cached or preempted (ARCHITECTURE, *The numeric contract*).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{Batch, Kept};
use tokenizer::Tokenizer;

use crate::backend::{Backend, Window};
use crate::embed::{EmbedRequest, Embedding, Pooling};
use crate::kv::BlockPool;
use crate::masks::Masks;
use crate::pace::Pace;
use crate::reply::Reply;
use crate::request::{
    FinishReason, Request, RequestError, Sink, StopCause, check_salt, check_tokens,
};
use crate::scheduler::{Limits, Plan, Scheduler};
use crate::sequence::{Sequence, SequenceId};
use crate::speculate::{Costs, Drafter};
use crate::task::{End, Rows, Task};

/// Bounds of an engine.
#[derive(Clone, Copy, Debug)]
pub struct EngineOptions {
    /// Most tokens of a sequence.
    pub max_seq_len: usize,
    /// Sequences that run side by side.
    pub max_running: usize,
    /// Requests that may wait.
    pub max_waiting: usize,
    /// Whether tokens are guessed from the text so far, where that pays. It changes no text.
    pub speculate: bool,
}

/// A request under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(SequenceId);

/// Counts since the start, and the present state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineStats {
    /// Sequences in the steps now.
    pub num_running: usize,
    /// Requests that wait.
    pub num_waiting: usize,
    /// KV blocks there are.
    pub num_blocks: usize,
    /// KV blocks that sequences hold; the others are free, or cache.
    pub num_held_blocks: usize,
    /// KV blocks there are for layers with a sliding window; none if no layer has one.
    pub num_window_blocks: usize,
    /// Of these, what sequences hold.
    pub num_held_window_blocks: usize,
    /// Steps so far.
    pub num_steps: u64,
    /// Tokens computed.
    pub num_computed_tokens: u64,
    /// Tokens of prompts that were asked for.
    pub prompt_tokens: u64,
    /// Of these, found in the cache.
    pub cached_tokens: u64,
    /// Tokens generated.
    pub generated_tokens: u64,
    /// Tokens guessed.
    pub drafted_tokens: u64,
    /// Guesses that were right.
    pub accepted_tokens: u64,
    /// Sequences that had to give their blocks back for a while.
    pub num_preemptions: u64,
}

/// Computes all requests.
pub struct Engine<B> {
    pub(crate) backend: B,
    tokenizer: Arc<Tokenizer>,
    options: EngineOptions,
    pub(crate) scheduler: Scheduler,
    tasks: HashMap<SequenceId, Task>,
    /// Texts that become vectors.
    embeddings: HashMap<SequenceId, Embedding>,
    plan: Plan,
    /// The lists of the last step, for the next.
    lists: Batch<'static>,
    /// Whose readers have gone.
    closed: Vec<SequenceId>,
    /// States behind prompts, to be kept: from, to.
    state_copies: Vec<(u32, u32)>,
    /// Whose last row came with the step at hand.
    embedded: Vec<SequenceId>,
    /// Whose text is over with the step at hand.
    ended: Vec<(SequenceId, End)>,
    last_id: u64,
    pace: Pace,
    costs: Costs,
    /// A second model that guesses.
    drafter: Option<Drafter>,
    masks: Masks,
    clock: Box<dyn FnMut() -> Duration + Send>,
    stats: EngineStats,
}

impl<B: Backend> Engine<B> {
    /// An engine over an empty cache.
    ///
    /// # Panics
    /// If the cache cannot hold one sequence of [`EngineOptions::max_seq_len`] and the window of one, or a step not one
    /// row of logits for each of [`EngineOptions::max_running`], nor the cache a state for each.
    pub fn new(backend: B, tokenizer: Arc<Tokenizer>, options: EngineOptions) -> Self {
        let start = Instant::now();
        Self::with_clock(
            backend,
            tokenizer,
            options,
            Box::new(move || start.elapsed()),
        )
    }

    /// [`Engine::new`] with another clock, for simulations.
    ///
    /// # Panics
    /// As for [`Engine::new`].
    pub fn with_clock(
        backend: B,
        tokenizer: Arc<Tokenizer>,
        options: EngineOptions,
        clock: Box<dyn FnMut() -> Duration + Send>,
    ) -> Self {
        let limits = Limits {
            max_tokens: backend.max_tokens(),
            max_outputs: backend.max_outputs(),
            max_running: options.max_running,
        };
        let room = backend.num_blocks() * model::BLOCK_TOKENS;
        assert!(
            room >= options.max_seq_len,
            "the cache holds the longest sequence"
        );
        assert!(
            limits.max_outputs >= options.max_running && limits.max_tokens >= options.max_running,
            "a step holds a token of every sequence"
        );
        let window = backend.window();
        let per_text = window.map_or(0, |window| Window::blocks_per_text(window.len));
        assert!(
            window.is_none_or(|window| window.num_blocks >= per_text.min(backend.num_blocks())),
            "the cache holds the window of a sequence"
        );
        let pool = BlockPool::new(backend.num_blocks(), window);
        let states = backend.num_states();
        assert!(
            states.is_none_or(|states| states >= options.max_running),
            "a state for each that runs"
        );
        Self {
            scheduler: Scheduler::new(limits, pool, states),
            backend,
            tokenizer,
            options,
            tasks: HashMap::new(),
            embeddings: HashMap::new(),
            plan: Plan::default(),
            lists: Batch::default(),
            closed: Vec::new(),
            state_copies: Vec::new(),
            embedded: Vec::new(),
            ended: Vec::new(),
            last_id: 0,
            pace: Pace::default(),
            costs: Costs::default(),
            drafter: None,
            masks: Masks::new(),
            clock,
            stats: EngineStats::default(),
        }
    }

    /// Lets a second model guess, which has the same tokens: [`EngineOptions::speculate`] must allow it. It changes no
    /// text.
    ///
    /// # Panics
    /// If either model keeps a state, which could not be taken back.
    pub fn with_draft(mut self, backend: Box<dyn Backend + Send>) -> Self {
        assert!(
            self.backend.num_states().is_none(),
            "guesses are taken back"
        );
        self.drafter = Some(Drafter::new(backend, self.options.max_seq_len));
        self
    }

    /// Keeps no more for later prompts than so many KV blocks and states; otherwise as much as there is room for. What
    /// requests under way have in common is shared in any case. It changes no text.
    pub fn with_cache_limit(mut self, blocks: usize, states: usize) -> Self {
        self.scheduler.pool.keep_at_most(blocks);
        self.scheduler.states.keep_at_most(states);
        if let Some(drafter) = &mut self.drafter {
            drafter.keep_at_most(blocks);
        }
        self
    }

    /// What computes.
    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// Bounds.
    pub fn options(&self) -> &EngineOptions {
        &self.options
    }

    /// Counts.
    pub fn stats(&self) -> EngineStats {
        EngineStats {
            num_running: self.scheduler.running.len(),
            num_waiting: self.scheduler.waiting.len(),
            num_blocks: self.scheduler.pool.num_blocks(),
            num_held_blocks: self.scheduler.pool.num_held(),
            num_window_blocks: self.scheduler.pool.num_window_blocks(),
            num_held_window_blocks: self.scheduler.pool.num_held_window(),
            num_preemptions: self.scheduler.num_preemptions,
            ..self.stats
        }
    }

    /// Whether nothing is to be done.
    pub fn is_idle(&self) -> bool {
        self.tasks.is_empty() && self.embeddings.is_empty()
    }

    /// Whether a request would not have to wait behind others that do.
    pub fn has_room(&self) -> bool {
        self.scheduler.waiting.len() < self.options.max_running.min(self.options.max_waiting)
    }

    /// Takes a request; its events go to `sink`. With a `leader` whose prompt is the same, it waits until that has
    /// been computed and takes it from the cache.
    ///
    /// # Errors
    /// If the request cannot be carried out. The sink has heard nothing then, and is gone.
    pub fn submit(
        &mut self,
        request: &Request,
        leader: Option<RequestId>,
        sink: Box<dyn Sink>,
    ) -> Result<RequestId, RequestError> {
        let waiting = self.scheduler.waiting.len();
        if waiting >= self.options.max_waiting {
            return Err(RequestError::Busy { waiting });
        }
        let max_seq_len = self.options.max_seq_len;
        let vocab_size = self.backend.vocab_size();
        let sampler = request.check(&self.tokenizer, vocab_size, max_seq_len)?;
        let now = (self.clock)();
        let num_prompt = request.prompt.len();
        let room = max_seq_len - num_prompt;
        let reply = Reply::new(request, room, &self.tokenizer, now, sink);
        self.last_id += 1;
        let id = SequenceId(self.last_id);
        self.stats.prompt_tokens += num_prompt as u64;
        let reports_prompt = request.wanted_of_prompt().is_some();
        if reply.is_full() && !reports_prompt {
            let mut reply = reply;
            reply.send_echo(Vec::new());
            reply.end(FinishReason::Length, None, now);
            return Ok(RequestId(id));
        }
        let root = self.scheduler.pool.root(&request.cache_salt);
        let mut sequence = Sequence::new(id, &request.prompt, max_seq_len, root);
        // A state is of one position only: guesses, and what runs at the same time, take one of each position.
        let has_state = self.backend.num_states().is_some();
        sequence.takes_cached = request.cache_prompt && !reports_prompt;
        if reports_prompt {
            sequence.outputs_from = 0;
        }
        let leader = leader.filter(|_| !has_state);
        sequence.leader = leader.map(|leader| leader.0);
        self.scheduler.waiting.push_back(sequence);
        let task = Task::new(
            request,
            sampler,
            reply,
            &self.tokenizer,
            vocab_size,
            self.options.speculate && !has_state,
        );
        self.tasks.insert(id, task);
        Ok(RequestId(id))
    }

    /// Takes a text that becomes a vector; it goes to `sink`.
    ///
    /// # Errors
    /// As for [`Engine::submit`].
    pub fn embed(
        &mut self,
        request: &EmbedRequest,
        sink: Box<dyn Sink>,
    ) -> Result<RequestId, RequestError> {
        let waiting = self.scheduler.waiting.len();
        if waiting >= self.options.max_waiting {
            return Err(RequestError::Busy { waiting });
        }
        let (tokens, max_seq_len) = (&request.tokens, self.options.max_seq_len);
        check_tokens("tokens", tokens, self.backend.vocab_size())?;
        check_salt(&request.cache_salt)?;
        if tokens.len() > max_seq_len {
            let num_tokens = tokens.len();
            return Err(RequestError::ContextExceeded {
                num_tokens,
                max_seq_len,
            });
        }
        self.last_id += 1;
        let id = SequenceId(self.last_id);
        let root = self.scheduler.pool.root(&request.cache_salt);
        let mut sequence = Sequence::new(id, tokens, max_seq_len, root);
        sequence.is_embedding = true;
        // Others' hidden states are gone, only their keys and values are there.
        sequence.takes_cached =
            request.pooling == Pooling::Last && self.backend.num_states().is_none();
        self.scheduler.waiting.push_back(sequence);
        self.embeddings.insert(id, Embedding::new(request, sink));
        Ok(RequestId(id))
    }

    /// Gives a request up; its sink hears of the end. Nothing happens if it has ended already.
    pub fn cancel(&mut self, request: RequestId) {
        self.finish(request.0, FinishReason::Cancelled, None);
    }

    /// Forgets what is cached and nobody holds.
    pub fn clear_cache(&mut self) {
        self.scheduler.pool.clear();
        self.scheduler.states.clear();
    }

    /// Checks the books: for tests.
    ///
    /// # Panics
    /// If a block is lost, or given out twice.
    pub fn check(&self) {
        let running = self.scheduler.running.iter();
        let all = running.chain(&self.scheduler.waiting);
        self.scheduler
            .pool
            .check(all.map(|sequence| &sequence.table));
        let known = self.scheduler.running.len() + self.scheduler.waiting.len();
        let wanted = self.tasks.len() + self.embeddings.len();
        assert_eq!(known, wanted, "a task for each sequence");
        let running = self.scheduler.running.iter();
        let taken = running.map(|sequence| sequence.state);
        self.scheduler.states.check(taken);
        if let Some(drafter) = &self.drafter {
            drafter.check();
        }
    }

    /// Computes one step for everybody who has a place in it. Whether there was anything to compute.
    ///
    /// Requests whose weights cannot be read end with [`RequestError::Read`]; others are not touched.
    pub fn step(&mut self) -> bool {
        self.drop_closed();
        self.draft();
        let chunk = self.pace.chunk(self.backend.max_tokens());
        let mut plan = std::mem::take(&mut self.plan);
        self.scheduler.plan(&mut plan, chunk);
        for (copies, kept) in [
            (&plan.copies, Kept::All),
            (&plan.window_copies, Kept::Window),
        ] {
            for &(from, to) in copies {
                self.backend.copy_block(kept, from, to);
            }
        }
        for &(from, to) in &plan.state_copies {
            self.backend.copy_state(from, to);
        }
        let any = !plan.parts.is_empty();
        if any {
            self.compute(&plan);
        }
        self.plan = plan;
        any
    }

    fn drop_closed(&mut self) {
        let closed = self.tasks.iter().filter(|(_, task)| task.reply.is_closed());
        self.closed.extend(closed.map(|(&id, _)| id));
        let closed = self.embeddings.iter().filter(|(_, e)| e.is_closed());
        self.closed.extend(closed.map(|(&id, _)| id));
        while let Some(id) = self.closed.pop() {
            self.finish(id, FinishReason::Cancelled, None);
        }
    }

    /// Guesses for those that are replying.
    fn draft(&mut self) {
        let is_replying = |sequence: &&Sequence| !sequence.is_catching_up;
        let count = self.scheduler.running.iter().filter(is_replying).count();
        let replying = self.scheduler.running.iter_mut();
        let replying = replying.filter(|sequence| !sequence.is_catching_up);
        let mut step = (count, count as f64);
        for sequence in replying {
            // Those of a step in which it found no place.
            sequence.truncate_drafts(0);
            if let Some(task) = self.tasks.get_mut(&sequence.id) {
                let has_better = self.drafter.as_ref().is_some_and(|drafter| drafter.pays);
                step = task.draft(sequence, &mut self.costs, has_better, step);
            }
        }
        if let Some(drafter) = &mut self.drafter {
            let (running, tasks) = (&mut self.scheduler.running, &mut self.tasks);
            let (costs, rows) = (&mut self.costs, self.backend.max_outputs());
            if !drafter.draft(running, tasks, costs, step, rows, &mut self.clock) {
                self.drafter = None;
            }
        }
    }

    fn compute(&mut self, plan: &Plan) {
        let start = (self.clock)();
        let mut batch = std::mem::take(&mut self.lists).recycle();
        for part in &plan.parts {
            let sequence = &self.scheduler.running[part.at];
            let row = batch.len();
            if let Some(task) = self.tasks.get_mut(&part.id) {
                task.start(start, sequence.num_cached.unwrap_or(0));
                if !part.outputs().is_empty() {
                    self.masks.lend(part.id, &mut task.grammar);
                }
            } else if let Some(embedding) = self.embeddings.get(&part.id) {
                let wanted = (part.start..part.end).filter(|&at| embedding.wants(at));
                batch.hidden.extend(wanted.map(|at| row + at - part.start));
            }
            let tokens = &sequence.tokens()[part.start..part.end];
            let tables = sequence.table.tables();
            batch.push_sequence(tokens, part.start, tables, sequence.state);
            let outputs = part.outputs().map(|at| row + at - part.start);
            batch.outputs.extend(outputs);
        }
        let (num_tokens, vocab_size) = (batch.len(), self.backend.vocab_size());
        let num_hidden = batch.hidden.len();
        let result = self.backend.forward(&batch);
        self.masks.collect(|id, grammar| {
            if let Some(task) = self.tasks.get_mut(&id) {
                task.grammar = Some(grammar);
            }
        });
        self.lists = batch.recycle();
        if let Err(error) = result {
            let error = RequestError::Read(Arc::new(error));
            for part in &plan.parts {
                self.fail(part.id, error.clone());
            }
            return;
        }
        let (mut logits, mut hidden) = (self.backend.logits(), self.backend.hidden());
        let width = hidden.len() / num_hidden.max(1);
        let now = (self.clock)();
        let mut prompts = 0;
        for part in &plan.parts {
            let sequence = &mut self.scheduler.running[part.at];
            if sequence.is_catching_up {
                prompts += part.end - part.start;
                if part.end == sequence.known().len() {
                    let root = sequence.table.root();
                    let copy = self.scheduler.states.copy_of(root, sequence.known());
                    self.state_copies
                        .extend(copy.map(|to| (sequence.state, to)));
                }
            }
            if let Some(embedding) = self.embeddings.get_mut(&part.id) {
                hidden = embedding.take(part.start..part.end, hidden, width);
                sequence.num_computed = part.end;
                if part.end == sequence.tokens().len() {
                    self.embedded.push(part.id);
                }
                self.scheduler.record(part.at);
                continue;
            }
            let (rows, rest) = logits.split_at(part.outputs().len() * vocab_size);
            logits = rest;
            let rows = Rows {
                first: part.outputs().start,
                logits: rows,
                vocab_size,
            };
            let task = self.tasks.get_mut(&part.id).expect("who runs has a task");
            let drafted = sequence.drafts().len();
            let accepted = task.reply.usage.accepted_tokens;
            let end = task.advance(&self.tokenizer, sequence, part.end, rows, now);
            let accepted = task.reply.usage.accepted_tokens - accepted;
            task.learn(&mut self.costs, drafted, accepted);
            self.scheduler.record(part.at);
            self.ended.extend(end.map(|end| (part.id, end)));
        }
        for (from, to) in self.state_copies.drain(..) {
            self.backend.copy_state(from, to);
        }
        let (replies, time) = (num_tokens - prompts, now.saturating_sub(start));
        self.pace.record(replies, prompts, time);
        if prompts == 0 {
            self.costs.record_step(replies, time);
        }
        self.stats.num_steps += 1;
        self.stats.num_computed_tokens += num_tokens as u64;
        while let Some(id) = self.embedded.pop() {
            self.scheduler.remove(id, false);
            if let Some(embedding) = self.embeddings.remove(&id) {
                embedding.end();
            }
        }
        while let Some((id, end)) = self.ended.pop() {
            match end {
                Ok((reason, cause)) => self.finish(id, reason, cause),
                Err(error) => self.fail(id, error),
            }
        }
    }

    fn finish(&mut self, id: SequenceId, reason: FinishReason, cause: Option<StopCause>) {
        self.scheduler.remove(id, false);
        self.embeddings.remove(&id);
        self.stop_drafting(id);
        if let Some(task) = self.tasks.remove(&id) {
            let usage = &task.reply.usage;
            self.stats.cached_tokens += usage.cached_tokens as u64;
            self.stats.generated_tokens += usage.generated_tokens as u64;
            self.stats.drafted_tokens += usage.drafted_tokens as u64;
            self.stats.accepted_tokens += usage.accepted_tokens as u64;
            let now = (self.clock)();
            task.reply.end(reason, cause, now);
        }
    }

    fn fail(&mut self, id: SequenceId, error: RequestError) {
        self.scheduler.remove(id, true);
        self.stop_drafting(id);
        if let Some(task) = self.tasks.remove(&id) {
            task.reply.fail(error);
        } else if let Some(embedding) = self.embeddings.remove(&id) {
            embedding.fail(error);
        }
    }

    fn stop_drafting(&mut self, id: SequenceId) {
        if let Some(drafter) = &mut self.drafter {
            drafter.forget(id);
        }
    }
}
