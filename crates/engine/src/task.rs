//! A request under way: what becomes of the logits that were computed for it.

use std::time::Duration;

use tokenizer::Tokenizer;

use crate::grammar::Grammar;
use crate::reply::Reply;
use crate::request::{FinishReason, Request, RequestError, StopCause, TokenInfo};
use crate::sampler::{Sampled, Sampler, SamplerParams};
use crate::sequence::Sequence;
use crate::speculate::{Costs, Guesses, Lookup, Match};
use crate::thoughts::Thoughts;

/// What ended a text.
pub(crate) type End = Result<(FinishReason, Option<StopCause>), RequestError>;

/// Most tokens that a reply has computed at once, beside guesses.
const MAX_REPLY_TOKENS: usize = 8;

/// Everything of a request but its tokens.
pub(crate) struct Task {
    sampler: Sampler,
    pub(crate) reply: Reply,
    num_prompt: usize,
    vocab_size: usize,
    /// How many best tokens to report for each of the prompt, and what was reported so far.
    prompt_logprobs: Option<(usize, Vec<TokenInfo>)>,
    /// Tokens that may not come while the text is shorter than it must be.
    enders: Vec<u32>,
    /// The guesses of the step at hand.
    guesses: Vec<u32>,
    /// Draws guesses of a draft model.
    shadow: Option<Box<Sampler>>,
    /// Whether the guesses at hand are such.
    is_model_guess: bool,
    /// The text, if guesses are made from it, and what its end matches.
    lookup: Option<Lookup>,
    matched: Match,
    guess_limits: Guesses,
    /// What the reply must look like; away while its mask is computed.
    pub(crate) grammar: Option<Box<Grammar>>,
    /// How far it is with its thoughts, if they have a bound.
    thoughts: Option<Thoughts>,
}

/// Logits of consecutive positions of a sequence.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    /// The first position.
    pub(crate) first: usize,
    /// `[positions, vocab_size]`.
    pub(crate) logits: &'a [f32],
    pub(crate) vocab_size: usize,
}

impl<'a> Rows<'a> {
    fn at(&self, position: usize) -> &'a [f32] {
        &self.logits[(position - self.first) * self.vocab_size..][..self.vocab_size]
    }
}

impl Task {
    pub(crate) fn new(
        request: &Request,
        sampler: Sampler,
        reply: Reply,
        tokenizer: &Tokenizer,
        vocab_size: usize,
        speculate: bool,
    ) -> Self {
        let max_len = request.prompt.len() + reply.num_left();
        let enders = tokenizer.eog_ids().iter().chain(&request.stop_tokens);
        Self {
            sampler,
            reply,
            num_prompt: request.prompt.len(),
            vocab_size,
            prompt_logprobs: request.wanted_of_prompt().map(|n| (n, Vec::new())),
            enders: enders.copied().collect(),
            guesses: Vec::new(),
            shadow: None,
            is_model_guess: false,
            lookup: speculate.then(|| Lookup::with_capacity(max_len)),
            matched: Match::default(),
            guess_limits: request.guesses,
            grammar: request.grammar.clone().map(Box::new),
            thoughts: request.thoughts.clone().map(Thoughts::new),
        }
    }

    /// Guesses what comes next, as far as that is worth its time beside `tokens` tokens of the step, which is expected
    /// to give `expected`; both with the guesses. None after a weak match if somebody has better ones.
    pub(crate) fn draft(
        &mut self,
        sequence: &mut Sequence,
        costs: &mut Costs,
        has_better: bool,
        (tokens, expected): (usize, f64),
    ) -> (usize, f64) {
        self.is_model_guess = false;
        let Some(lookup) = &mut self.lookup else {
            return (tokens, expected);
        };
        let known = sequence.known();
        for &token in &known[lookup.len()..] {
            self.matched = lookup.push(token);
        }
        let Match { len, next } = self.matched;
        // The last token of a text needs no guess after it.
        let most = (known.len() - next).min(self.reply.num_left().saturating_sub(1));
        let most = most.min(self.guess_limits.max);
        let is_worse = has_better && self.grammar.is_none() && costs.is_weak(len);
        if len == 0 || most == 0 || is_worse {
            return (tokens, expected);
        }
        let (drafts, with_drafts) = costs.draft_len(len, most, tokens, expected);
        if drafts < self.guess_limits.min {
            return (tokens, expected);
        }
        let expected = with_drafts;
        self.guesses.clear();
        self.guesses.extend_from_slice(&known[next..next + drafts]);
        sequence.draft(&self.guesses);
        (tokens + drafts, expected)
    }

    /// Says what became of `drafted` guesses.
    pub(crate) fn learn(&self, costs: &mut Costs, drafted: usize, accepted: usize) {
        match (drafted, self.is_model_guess) {
            (0, _) => {}
            (_, true) => costs.record_model_guesses(drafted, accepted),
            (_, false) => costs.record_guesses(self.matched.len, drafted, accepted),
        }
    }

    /// How many guesses of a draft model may be of use. Without the grammar of a text they would mostly be wrong.
    pub(crate) fn room_for_guesses(&self) -> usize {
        match self.lookup.is_some() && self.grammar.is_none() {
            // The last token of a text needs no guess after it.
            true => (self.reply.num_left().saturating_sub(1)).min(self.guess_limits.max),
            false => 0,
        }
    }

    /// Whether so many guesses in a row are worth having.
    pub(crate) fn takes_guesses(&self, num: usize) -> bool {
        num >= self.guess_limits.min
    }

    /// What the sampler would draw from a draft model's `logits` after `history`; the `first` guess, or one after others.
    pub(crate) fn guess(&mut self, logits: &[f32], history: &[u32], first: bool) -> u32 {
        let logits = &logits[..logits.len().min(self.vocab_size)];
        let sampler = &self.sampler;
        let shadow = self.shadow.get_or_insert_with(|| {
            let params = SamplerParams {
                logprobs: None,
                ..sampler.params().clone()
            };
            Box::new(sampler.shadow(params, logits.len()))
        });
        if first {
            shadow.follow(sampler);
        }
        self.is_model_guess = true;
        shadow.sample(logits, history).id
    }

    /// A step for it begins.
    pub(crate) fn start(&mut self, now: Duration, cached_tokens: usize) {
        self.reply.start(now, cached_tokens);
    }

    /// `sequence` was computed up to `end`, which gave `rows`: chooses what follows what is known, as far as guesses
    /// were right. What ends the text, if something does.
    pub(crate) fn advance(
        &mut self,
        tokenizer: &Tokenizer,
        sequence: &mut Sequence,
        end: usize,
        rows: Rows<'_>,
        now: Duration,
    ) -> Option<End> {
        let known = sequence.known().len();
        self.reply.progress(end, now, false);
        self.report_prompt(sequence, end, rows);
        if end < known {
            sequence.num_computed = end;
            return None;
        }
        (sequence.num_computed, sequence.is_catching_up) = (known, false);
        self.guesses.clear();
        self.guesses.extend_from_slice(sequence.drafts());
        sequence.truncate_drafts(0);
        self.reply.usage.drafted_tokens += self.guesses.len();
        if self.reply.is_full() {
            return Some(Ok((FinishReason::Length, None)));
        }
        let mut is_right = true;
        while is_right {
            let history = sequence.known();
            let chosen = match self.choose(rows.at(history.len() - 1), history) {
                Ok(chosen) => chosen,
                Err(error) => return Some(Err(error)),
            };
            let mut next = Some(info(chosen));
            while let Some(token) = next {
                let id = token.id;
                if let Some(end) = self.take(tokenizer, token, now) {
                    return Some(end);
                }
                let guess = self.guesses.get(sequence.num_computed - known);
                is_right &= guess == Some(&id);
                sequence.push(id);
                if is_right {
                    sequence.num_computed += 1;
                    self.reply.usage.accepted_tokens += 1;
                }
                next = self.forced();
            }
        }
        // Tokens that a grammar forced may be many: they are computed as a prompt is.
        let num_missing = sequence.known().len() - sequence.num_computed;
        sequence.is_catching_up = num_missing > MAX_REPLY_TOKENS;
        None
    }

    /// The next token, by the sampler or because there is no other.
    fn choose(&mut self, logits: &[f32], history: &[u32]) -> Result<Sampled, RequestError> {
        if let Some(id) = self.end_of_thoughts()? {
            return Ok(self.sampler.forced(logits, id));
        }
        let banned = match self.reply.must_go_on() {
            true => self.enders.as_slice(),
            false => &[],
        };
        let Some(grammar) = &mut self.grammar else {
            return Ok(self.sampler.sample_among(logits, history, None, banned));
        };
        if let Some(&id) = grammar.forced().first() {
            return Ok(self.sampler.forced(logits, id));
        }
        let allowed = Some(grammar.mask()?);
        Ok(self.sampler.sample_among(logits, history, allowed, banned))
    }

    /// A token that must come next, unless its log-probability is wanted: that takes a step.
    fn forced(&mut self) -> Option<TokenInfo> {
        if self.sampler.params().logprobs.is_some() {
            return None;
        }
        // What goes wrong here goes wrong again with the next step's logits.
        let id = match self.end_of_thoughts().ok()? {
            Some(id) => id,
            None => *self.grammar.as_mut()?.forced().first()?,
        };
        Some(TokenInfo {
            id,
            logprob: None,
            top_logprobs: Vec::new(),
        })
    }

    /// A token that must come next because there have been enough thoughts, if the reply may look like that.
    fn end_of_thoughts(&mut self) -> Result<Option<u32>, RequestError> {
        let Some(thoughts) = &mut self.thoughts else {
            return Ok(None);
        };
        let Some(id) = thoughts.forced() else {
            return Ok(None);
        };
        if let Some(grammar) = &mut self.grammar {
            let mask = grammar.mask()?;
            let word = mask.get(id as usize / 32).copied().unwrap_or(0);
            if word >> (id % 32) & 1 == 0 {
                thoughts.give_up();
                return Ok(None);
            }
        }
        Ok(Some(id))
    }

    /// The token is part of the reply.
    fn take(&mut self, tokenizer: &Tokenizer, token: TokenInfo, now: Duration) -> Option<End> {
        if let Some(grammar) = &mut self.grammar
            && let Err(error) = grammar.commit(token.id)
        {
            return Some(Err(error.into()));
        }
        if let Some(thoughts) = &mut self.thoughts {
            thoughts.push(token.id, &tokenizer.token_bytes(token.id));
        }
        let end = self.reply.push(tokenizer, token, now);
        let is_stopped = |grammar: &Grammar| grammar.is_stopped();
        match end {
            Some(end) => Some(Ok(end)),
            None if self.grammar.as_deref().is_some_and(is_stopped) => {
                Some(Ok((FinishReason::Stop, Some(StopCause::Grammar))))
            }
            None => None,
        }
    }

    /// Log-probabilities of the prompt's tokens whose predecessors were computed up to `end`.
    fn report_prompt(&mut self, sequence: &mut Sequence, end: usize, rows: Rows<'_>) {
        let Some((n, tokens)) = &mut self.prompt_logprobs else {
            return;
        };
        // A token is told once, though its row may be computed again after a preemption.
        let first = rows.first.max(tokens.len());
        for position in first..end.min(self.num_prompt - 1) {
            let next = sequence.known()[position + 1];
            let told = self.sampler.report(rows.at(position), next, *n);
            tokens.push(info(told));
        }
        if tokens.len() + 1 == self.num_prompt {
            let tokens = std::mem::take(tokens);
            self.prompt_logprobs = None;
            sequence.outputs_from = usize::MAX;
            self.reply.send_prompt(tokens);
        }
    }
}

fn info(sampled: Sampled) -> TokenInfo {
    TokenInfo {
        id: sampled.id,
        logprob: sampled.logprob,
        top_logprobs: sampled.top_logprobs,
    }
}
