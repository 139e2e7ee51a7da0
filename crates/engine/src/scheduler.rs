//! Who computes how many tokens in the next step.
//!
//! One budget of tokens for each step. Replies go first, a token each (and their guesses), so whoever reads along
//! waits for no one; then prompts, in the order of their coming, a chunk at a time (chunked prefill, Agrawal et
//! al. 2023, arXiv:2308.16369); then new sequences, while there is room. When KV blocks run out, the youngest
//! running sequence gives its blocks back and waits (vLLM, Kwon et al. 2023, arXiv:2309.06180): it will be computed
//! again, which costs time but does not change its text. The oldest one always has room, so all end some day.

use std::collections::VecDeque;

use model::BLOCK_TOKENS;

use crate::kv::{BlockPool, Hit, StatePool};
use crate::sequence::{Sequence, SequenceId};

/// What a step may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Tokens in all.
    pub(crate) max_tokens: usize,
    /// Rows of logits.
    pub(crate) max_outputs: usize,
    /// Sequences that run side by side.
    pub(crate) max_running: usize,
}

/// A sequence's share of a step: the tokens at `start..end`, logits from `first_output` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) id: SequenceId,
    /// Where in [`Scheduler::running`].
    pub(crate) at: usize,
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) first_output: usize,
}

impl Part {
    /// Positions whose logits are computed.
    pub(crate) fn outputs(&self) -> std::ops::Range<usize> {
        self.first_output.clamp(self.start, self.end)..self.end
    }
}

/// What to compute; kept from step to step for its room.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) parts: Vec<Part>,
    /// KV blocks to copy before anything is computed: from, to.
    pub(crate) copies: Vec<(u32, u32)>,
    /// The same for layers with a window.
    pub(crate) window_copies: Vec<(u32, u32)>,
    /// Slots of states to copy likewise, in this order.
    pub(crate) state_copies: Vec<(u32, u32)>,
    num_tokens: usize,
    num_outputs: usize,
}

/// Sequences and the blocks they hold.
pub(crate) struct Scheduler {
    limits: Limits,
    pub(crate) pool: BlockPool,
    /// In the order in which they were taken up: the oldest first.
    pub(crate) running: Vec<Sequence>,
    pub(crate) waiting: VecDeque<Sequence>,
    pub(crate) states: StatePool,
    pub(crate) num_preemptions: u64,
}

impl Scheduler {
    pub(crate) fn new(limits: Limits, pool: BlockPool, num_states: Option<usize>) -> Self {
        Self {
            limits,
            pool,
            running: Vec::with_capacity(limits.max_running),
            waiting: VecDeque::new(),
            states: StatePool::new(num_states, limits.max_running),
            num_preemptions: 0,
        }
    }

    /// Takes a sequence out, wherever it is; what it computed can still be found, but for the state of one that has
    /// `failed` in the middle of a step.
    pub(crate) fn remove(&mut self, id: SequenceId, failed: bool) -> Option<Sequence> {
        let at = self.running.iter().position(|sequence| sequence.id == id);
        let mut sequence = match at {
            Some(at) => {
                let sequence = self.running.remove(at);
                match failed {
                    true => self.states.give_back(sequence.state),
                    false => self.keep_state(&sequence),
                }
                sequence
            }
            None => {
                let at = self.waiting.iter().position(|sequence| sequence.id == id)?;
                self.waiting.remove(at)?
            }
        };
        self.pool.release(&mut sequence.table);
        Some(sequence)
    }

    /// Fills `plan` with the next step. While somebody is replying, prompts get no more than `chunk` tokens.
    pub(crate) fn plan(&mut self, plan: &mut Plan, chunk: usize) {
        plan.parts.clear();
        plan.copies.clear();
        plan.window_copies.clear();
        plan.state_copies.clear();
        (plan.num_tokens, plan.num_outputs) = (0, 0);
        self.plan_replies(plan);
        let chunk = match plan.parts.is_empty() {
            true => self.limits.max_tokens,
            false => chunk.max(1),
        };
        let most = self.limits.max_tokens.min(plan.num_tokens + chunk);
        self.plan_prompts(plan, most);
        self.admit(plan, most);
        // Preemption may have moved them.
        for part in &mut plan.parts {
            let at = self.running.iter().position(|s| s.id == part.id);
            part.at = at.expect("what is planned is running");
        }
    }

    fn plan_replies(&mut self, plan: &mut Plan) {
        let mut at = 0;
        while at < self.running.len() {
            if self.running[at].is_catching_up {
                at += 1;
                continue;
            }
            let room = self.limits.max_tokens - plan.num_tokens;
            let outputs = self.limits.max_outputs - plan.num_outputs;
            // Nobody's guesses take the row that another's known token needs.
            let others = self.running.len() - at - 1;
            let sequence = &mut self.running[at];
            let known = sequence.known().len() - sequence.num_computed;
            if room < known || outputs == 0 {
                break;
            }
            let most = (room - known).min(outputs - 1).saturating_sub(others);
            sequence.truncate_drafts(most);
            let (pool, end) = (&mut self.pool, sequence.tokens().len());
            if !pool.grow(&mut sequence.table, end) {
                // Guesses are worth nobody's blocks.
                sequence.truncate_drafts(0);
                let end = sequence.tokens().len();
                while !self.pool.grow(&mut self.running[at].table, end) {
                    self.preempt_youngest(plan);
                    if at == self.running.len() {
                        return;
                    }
                }
            }
            let end = self.running[at].tokens().len();
            self.push(plan, at, end);
            at += 1;
        }
    }

    fn plan_prompts(&mut self, plan: &mut Plan, most: usize) {
        let mut at = 0;
        while at < self.running.len() {
            if self.running[at].is_catching_up {
                while !self.chunk(plan, at, most) && at + 1 < self.running.len() {
                    self.preempt_youngest(plan);
                }
            }
            at += 1;
        }
    }

    fn admit(&mut self, plan: &mut Plan, most: usize) {
        let mut next = 0;
        while next < self.waiting.len()
            && plan.num_tokens < most
            && self.running.len() < self.limits.max_running
        {
            if self.must_wait(&self.waiting[next]) {
                next += 1;
                continue;
            }
            let mut sequence = self.waiting.remove(next).expect("it is in the queue");
            let (hit, kept) = self.reuse(&mut sequence);
            // One more for each that runs, or a reply would soon throw somebody out.
            let (len, spare) = (sequence.known().len(), self.running.len());
            let fits = self.pool.has_room(&sequence.table, len, spare);
            if !fits && !self.running.is_empty() {
                self.pool.release(&mut sequence.table);
                self.waiting.insert(next, sequence);
                return;
            }
            sequence.num_computed = hit.num_tokens;
            sequence.num_cached.get_or_insert(hit.num_tokens);
            sequence.leader = None;
            plan.copies.extend(hit.copy);
            plan.window_copies.extend(hit.window_copy);
            sequence.state = self.states.take();
            // It may have been taken from what was kept.
            let kept = kept.filter(|&kept| kept != sequence.state);
            plan.state_copies
                .extend(kept.map(|kept| (kept, sequence.state)));
            self.running.push(sequence);
            self.chunk(plan, self.running.len() - 1, most);
        }
    }

    /// What is cached of a sequence's start, and the slot of the state after it.
    fn reuse(&mut self, sequence: &mut Sequence) -> (Hit, Option<u32>) {
        if !sequence.takes_cached {
            return Default::default();
        }
        // The last token is computed in any case, for its logits.
        let (tokens, table) = sequence.all_but_last();
        if !self.states.keeps() {
            return (self.pool.reuse(table, tokens), None);
        }
        let Some((slot, len)) = self.states.find(table.root(), tokens) else {
            return Default::default();
        };
        let hit = self.pool.reuse(table, &tokens[..len]);
        if hit.num_tokens == len {
            return (hit, Some(slot));
        }
        // Keys and values that belong to the state are gone.
        self.pool.release(table);
        Default::default()
    }

    /// Lets others find what a sequence that runs has computed by now, and lets go of what it does not need any more.
    pub(crate) fn record(&mut self, at: usize) {
        let (computed, table) = self.running[at].computed();
        self.pool.record(table, computed);
        self.pool.leave_behind(table, computed.len());
    }

    fn keep_state(&mut self, sequence: &Sequence) {
        let (root, slot) = (sequence.table.root(), sequence.state);
        self.states.keep(root, sequence.with_state(), slot);
    }

    /// Whether somebody else computes the prompt at this moment.
    fn must_wait(&self, sequence: &Sequence) -> bool {
        let Some(leader) = sequence.leader else {
            return false;
        };
        let all = self.running.iter().chain(&self.waiting);
        all.into_iter()
            .any(|other| other.id == leader && other.is_catching_up)
    }

    /// Plans what can be of a prompt; false if that is nothing for want of a block.
    fn chunk(&mut self, plan: &mut Plan, at: usize, most: usize) -> bool {
        let sequence = &mut self.running[at];
        let start = sequence.num_computed;
        let mut end = sequence
            .tokens()
            .len()
            .min(start + (most - plan.num_tokens));
        let outputs = self.limits.max_outputs - plan.num_outputs;
        end = end.min(sequence.first_output().max(start).saturating_add(outputs));
        if end == start {
            return true;
        }
        if !self.pool.grow(&mut sequence.table, end) {
            end = end.min(sequence.table.blocks.len() * BLOCK_TOKENS);
        }
        if end <= start {
            return false;
        }
        self.push(plan, at, end);
        true
    }

    fn push(&self, plan: &mut Plan, at: usize, end: usize) {
        let sequence = &self.running[at];
        let part = Part {
            id: sequence.id,
            at,
            start: sequence.num_computed,
            end,
            first_output: sequence.first_output(),
        };
        plan.num_tokens += part.end - part.start;
        plan.num_outputs += part.outputs().len();
        plan.parts.push(part);
    }

    fn preempt_youngest(&mut self, plan: &mut Plan) {
        let mut sequence = self.running.pop().expect("who needs a block is running");
        plan.parts.retain(|part| {
            if part.id == sequence.id {
                plan.num_tokens -= part.end - part.start;
                plan.num_outputs -= part.outputs().len();
            }
            part.id != sequence.id
        });
        self.pool.release(&mut sequence.table);
        self.keep_state(&sequence);
        sequence.truncate_drafts(0);
        (sequence.num_computed, sequence.is_catching_up) = (0, true);
        self.waiting.push_front(sequence);
        self.num_preemptions += 1;
    }
}
