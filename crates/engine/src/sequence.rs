//! One text under computation.

use crate::kv::{BlockTable, Serial};

/// Names a sequence for as long as the engine lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SequenceId(pub(crate) u64);

/// Tokens of a text, and how many of them are computed.
///
/// A new prompt, a half-read prompt, a growing reply and one that was preempted differ in these two numbers only.
/// Guesses of what comes next stand after the tokens that are known.
#[derive(Debug)]
pub(crate) struct Sequence {
    pub(crate) id: SequenceId,
    tokens: Vec<u32>,
    num_drafts: usize,
    pub(crate) num_computed: usize,
    /// Of the prompt, what was found when it was first taken up.
    pub(crate) num_cached: Option<usize>,
    /// More than a step's few tokens are missing: the prompt, or all after a preemption.
    pub(crate) is_catching_up: bool,
    /// First position whose logits are wanted, beside that of the last known token.
    pub(crate) outputs_from: usize,
    /// It becomes a vector: nothing comes after it, and no logits are wanted.
    pub(crate) is_embedding: bool,
    /// Whether what others computed may be taken.
    pub(crate) takes_cached: bool,
    /// Computes the same prompt; this one waits for it.
    pub(crate) leader: Option<SequenceId>,
    pub(crate) table: BlockTable,
    /// Slot of its state, while it runs.
    pub(crate) state: u32,
}

impl Sequence {
    /// A prompt, with room for `max_seq_len` tokens, under the root of its salt.
    pub(crate) fn new(id: SequenceId, prompt: &[u32], max_seq_len: usize, root: Serial) -> Self {
        assert!(
            (1..=max_seq_len).contains(&prompt.len()),
            "requests are checked"
        );
        let mut tokens = Vec::with_capacity(max_seq_len);
        tokens.extend_from_slice(prompt);
        Self {
            id,
            tokens,
            num_drafts: 0,
            num_computed: 0,
            num_cached: None,
            is_catching_up: true,
            outputs_from: usize::MAX,
            is_embedding: false,
            takes_cached: true,
            leader: None,
            table: BlockTable::with_capacity(max_seq_len, root),
            state: 0,
        }
    }

    /// Tokens that are known.
    pub(crate) fn known(&self) -> &[u32] {
        &self.tokens[..self.tokens.len() - self.num_drafts]
    }

    /// Guesses of the tokens after those.
    pub(crate) fn drafts(&self) -> &[u32] {
        &self.tokens[self.tokens.len() - self.num_drafts..]
    }

    /// Known tokens, then guesses.
    pub(crate) fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// What is computed, and the blocks that hold it.
    pub(crate) fn computed(&mut self) -> (&[u32], &mut BlockTable) {
        (&self.tokens[..self.num_computed], &mut self.table)
    }

    /// The tokens that its state comes after.
    pub(crate) fn with_state(&self) -> &[u32] {
        &self.tokens[..self.num_computed]
    }

    /// What is known but for the last token, and the blocks that are to hold it.
    pub(crate) fn all_but_last(&mut self) -> (&[u32], &mut BlockTable) {
        let len = self.tokens.len() - self.num_drafts - 1;
        (&self.tokens[..len], &mut self.table)
    }

    /// Adds a token that is known; guesses must be gone.
    pub(crate) fn push(&mut self, token: u32) {
        assert_eq!(self.num_drafts, 0, "guesses come after what is known");
        self.tokens.push(token);
    }

    /// Guesses the next tokens.
    pub(crate) fn draft(&mut self, tokens: &[u32]) {
        self.tokens.extend_from_slice(tokens);
        self.num_drafts += tokens.len();
    }

    /// Keeps no more than `len` guesses.
    pub(crate) fn truncate_drafts(&mut self, len: usize) {
        let excess = self.num_drafts.saturating_sub(len);
        self.tokens.truncate(self.tokens.len() - excess);
        self.num_drafts -= excess;
    }

    /// First position whose logits are wanted.
    pub(crate) fn first_output(&self) -> usize {
        if self.is_embedding {
            return usize::MAX;
        }
        self.outputs_from.min(self.known().len() - 1)
    }
}
