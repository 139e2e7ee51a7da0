//! One reply's way through its grammar.

use std::collections::VecDeque;

use llguidance::Matcher;
use llguidance::api::StopReason;
use llguidance::toktrie::SimpleVob;

use super::GrammarError;
use super::error::brief;

/// One reply's state. A clone goes on exactly as the original would.
#[derive(Clone)]
pub struct Grammar {
    matcher: Matcher,
    mask: SimpleVob,
    /// Whether `mask` is that of the present state.
    is_fresh: bool,
    vocab_size: usize,
    /// Tokens that were found to be forced and have not come yet. Kept, so that a mask after the first of them
    /// allows the second and no other way to write the same text, whether or not anybody asked for them.
    forced: VecDeque<u32>,
}

impl Grammar {
    pub(super) fn new(matcher: Matcher, vocab_size: usize) -> Self {
        Self {
            matcher,
            mask: SimpleVob::alloc(vocab_size),
            is_fresh: false,
            vocab_size,
            forced: VecDeque::new(),
        }
    }

    /// A copy that shares nothing with this one, not even what has been worked out for speed: a clone's way may use up
    /// what bounds that.
    pub(super) fn apart(&self) -> Self {
        Self {
            matcher: self.matcher.deep_clone(),
            mask: self.mask.clone(),
            forced: self.forced.clone(),
            ..*self
        }
    }

    /// Tokens allowed next, as a bit set over the vocabulary (bit `i % 32` of word `i / 32` is token `i`).
    ///
    /// Tokens that end a reply are set when the text may end here. Computed once per state.
    ///
    /// # Errors
    /// If the grammar's bounds are passed, or nothing can follow; then all further calls fail too.
    pub fn mask(&mut self) -> Result<&[u32], GrammarError> {
        if self.is_fresh {
            // As it is.
        } else if let Some(&token) = self.find_forced().front() {
            self.mask.set_all(false);
            self.mask.allow_token(token);
            self.is_fresh = true;
        } else {
            self.mask = self
                .matcher
                .compute_mask_or_eos()
                .map_err(|e| GrammarError::TooComplex(brief(&e.to_string())))?;
            self.is_fresh = true;
        }
        Ok(&self.mask.as_slice()[..self.vocab_size.div_ceil(32)])
    }

    /// The token was chosen.
    ///
    /// # Errors
    /// If the grammar does not allow it; the state is then as before. If the grammar's bounds are passed.
    pub fn commit(&mut self, token: u32) -> Result<(), GrammarError> {
        let not_allowed = GrammarError::NotAllowed { token };
        if (token as usize) >= self.vocab_size {
            return Err(not_allowed);
        }
        let complex = |e: &dyn std::fmt::Display| GrammarError::TooComplex(brief(&e.to_string()));
        let is_eog = self.is_eog(token)?;
        if self.matcher.is_stopped() {
            return if is_eog && !self.matcher.is_error() {
                Ok(())
            } else {
                Err(not_allowed)
            };
        }
        if is_eog {
            if !self.matcher.is_accepting().map_err(|e| complex(&e))? {
                return Err(not_allowed);
            }
            self.matcher.consume_token(token).map_err(|e| complex(&e))?;
        } else {
            let taken = self.matcher.try_consume_tokens(&[token]);
            if taken.map_err(|e| complex(&e))? == 0 {
                return Err(not_allowed);
            }
        }
        self.is_fresh = false;
        if self.forced.pop_front() != Some(token) {
            self.forced.clear();
        }
        Ok(())
    }

    /// Tokens that must come next whatever the model says, possibly none: the text they stand for is the only
    /// one allowed, and they are how the tokenizer writes it. They still have to be committed, one by one.
    pub fn forced(&mut self) -> Vec<u32> {
        self.find_forced().iter().copied().collect()
    }

    fn find_forced(&mut self) -> &VecDeque<u32> {
        if self.forced.is_empty() && !self.matcher.is_stopped() {
            self.forced = self.matcher.compute_ff_tokens().into();
        }
        &self.forced
    }

    /// Whether the reply is complete and nothing more may come.
    pub fn is_stopped(&self) -> bool {
        self.matcher.is_stopped()
    }

    /// Whether the text may end here.
    pub fn is_accepting(&mut self) -> bool {
        match self.matcher.stop_reason() {
            StopReason::NotStopped => self.matcher.is_accepting().unwrap_or(false),
            reason => reason.is_ok(),
        }
    }

    fn is_eog(&self, token: u32) -> Result<bool, GrammarError> {
        let env = self.matcher.tok_env();
        let env = env.map_err(|e| GrammarError::TooComplex(brief(&e.to_string())))?;
        Ok(env.tok_trie().eos_tokens().contains(&token))
    }
}

impl std::fmt::Debug for Grammar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Grammar")
            .field("is_stopped", &self.is_stopped())
            .finish_non_exhaustive()
    }
}
