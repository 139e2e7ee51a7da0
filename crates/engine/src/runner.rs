//! A model with its cache and buffers: computes a sequence's tokens and gives the logits after them.

use std::ops::Range;
use std::sync::Arc;

use model::{Batch, KvCache, KvType, Model, ReadError};

use crate::backend::{Backend, MAX_STEP_TOKENS, ModelBackend};

/// Tokens of one text and how many of them the cache holds.
///
/// A new prompt, a half-read prompt and a growing reply differ in these two numbers only.
#[derive(Clone, Debug, Default)]
pub struct Text {
    tokens: Vec<u32>,
    num_computed: usize,
    /// Whether the model keeps a state, which is of the last computed token and no earlier one.
    has_state: bool,
}

impl Text {
    /// No tokens yet, and room for `max_seq_len`: it does not grow in between.
    pub fn with_capacity(max_seq_len: usize) -> Self {
        Self {
            tokens: Vec::with_capacity(max_seq_len),
            ..Self::default()
        }
    }

    /// The tokens so far.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// Adds a token.
    pub fn push(&mut self, token: u32) {
        self.tokens.push(token);
    }

    /// Becomes `tokens`, keeping what is computed of a common start; returns how many tokens that is.
    ///
    /// The last token is always computed anew, for its logits. A model with a state begins anew unless `tokens` go on
    /// from all that is computed.
    pub fn replace(&mut self, tokens: &[u32]) -> usize {
        let common = self
            .tokens
            .iter()
            .zip(tokens)
            .take_while(|(a, b)| a == b)
            .count();
        let kept = common.min(tokens.len().saturating_sub(1));
        self.num_computed = match self.has_state {
            true if self.num_computed > kept => 0,
            _ => self.num_computed.min(kept),
        };
        tokens.clone_into(&mut self.tokens);
        self.num_computed
    }
}

/// Computes one sequence at a time.
pub struct Runner {
    backend: ModelBackend,
    block_table: Vec<u32>,
    /// The lists of the last step, for the next.
    lists: Batch<'static>,
    max_seq_len: usize,
}

impl Runner {
    /// Room for a sequence of `max_seq_len` tokens, keys and values kept as `kv_type`, and `max_outputs` rows
    /// of logits a step.
    pub fn new(model: Arc<Model>, kv_type: KvType, max_seq_len: usize, max_outputs: usize) -> Self {
        // Layers with a window keep everything too: a text may be cut back to any place.
        let num_blocks = KvCache::blocks_for(max_seq_len);
        let step = MAX_STEP_TOKENS.min(max_seq_len).max(1);
        let block_table = (0..num_blocks as u32).collect();
        Self {
            backend: ModelBackend::new(model, kv_type, (num_blocks, 1), step, max_outputs),
            block_table,
            lists: Batch::default(),
            max_seq_len,
        }
    }

    /// The model.
    pub fn model(&self) -> &Arc<Model> {
        self.backend.model()
    }

    /// Most tokens a sequence can have.
    pub fn max_seq_len(&self) -> usize {
        self.max_seq_len
    }

    /// Computes at most one step of what is left of `sequence`; logits once nothing is left.
    ///
    /// # Errors
    /// If weights that are not in memory cannot be read; the sequence is as it was, or begins anew if the model keeps
    /// a state.
    ///
    /// # Panics
    /// If nothing is left to begin with, the sequence is too long, or a token is not of the vocabulary:
    /// requests are checked before they come here.
    pub fn step(&mut self, sequence: &mut Text) -> Result<Option<&[f32]>, ReadError> {
        let (start, total) = (sequence.num_computed, sequence.tokens.len());
        assert!(
            start < total && total <= self.max_seq_len,
            "{start} of {total} tokens computed"
        );
        let end = total.min(start + self.backend.max_tokens());
        let outputs = if end == total { end - 1..end } else { end..end };
        let logits = self.compute(sequence, start..end, outputs)?;
        Ok((end == total).then_some(logits))
    }

    /// Computes all that is left of `sequence` in one step and gives logits for each of these tokens,
    /// `[tokens, vocab_size]`: what checking guessed tokens takes.
    ///
    /// # Errors
    /// As for [`Runner::step`].
    ///
    /// # Panics
    /// If nothing is left, or more than one step or the room for outputs holds.
    pub fn step_with_all_logits(&mut self, sequence: &mut Text) -> Result<&[f32], ReadError> {
        let (start, total) = (sequence.num_computed, sequence.tokens.len());
        assert!(
            start < total && total <= self.max_seq_len,
            "{start} of {total} tokens computed"
        );
        self.compute(sequence, start..total, start..total)
    }

    /// Computes `tokens` from position 0 and calls `f(position, logits)` for each position of `outputs`.
    ///
    /// # Errors
    /// If weights that are not in memory cannot be read.
    ///
    /// # Panics
    /// If there are more tokens than [`Runner::max_seq_len`].
    pub fn logits_at(
        &mut self,
        tokens: &[u32],
        outputs: Range<usize>,
        mut f: impl FnMut(usize, &[f32]),
    ) -> Result<(), ReadError> {
        assert!(
            tokens.len() <= self.max_seq_len,
            "the tokens fit the context"
        );
        let vocab_size = self.backend.vocab_size();
        let mut start = 0;
        while start < tokens.len() {
            // A step may hold no more outputs than there is room for.
            let room = if start < outputs.start {
                outputs.start - start
            } else {
                self.backend.max_outputs()
            };
            let end = tokens
                .len()
                .min(start + self.backend.max_tokens().min(room.max(1)));
            let wanted = start.max(outputs.start)..end.min(outputs.end);
            let logits = self.forward(&tokens[..end], start, wanted.clone())?;
            for (position, logits) in wanted.zip(logits.chunks_exact(vocab_size)) {
                f(position, logits);
            }
            start = end;
        }
        Ok(())
    }

    /// Computes tokens `range` of `sequence`, and logits of the positions `outputs`.
    fn compute(
        &mut self,
        sequence: &mut Text,
        range: Range<usize>,
        outputs: Range<usize>,
    ) -> Result<&[f32], ReadError> {
        sequence.has_state = self.model().config().has_state();
        // A step that fails half way leaves layers' states at different tokens: then nothing counts as computed.
        let before = if sequence.has_state { 0 } else { range.start };
        sequence.num_computed = before;
        let logits = self.forward(&sequence.tokens[..range.end], range.start, outputs)?;
        sequence.num_computed = range.end;
        Ok(logits)
    }

    /// Computes what of `tokens` comes from `start` on, and the logits of the positions `outputs`.
    fn forward(
        &mut self,
        tokens: &[u32],
        start: usize,
        outputs: Range<usize>,
    ) -> Result<&[f32], ReadError> {
        let mut batch = std::mem::take(&mut self.lists).recycle();
        batch.push_sequence(&tokens[start..], start, &self.block_table, 0);
        batch.outputs.extend(outputs.map(|p| p - start));
        let result = self.backend.forward(&batch);
        self.lists = batch.recycle();
        result.map(|()| self.backend.logits())
    }
}

#[cfg(test)]
mod tests {
    use model::LoadOptions;
    use testkit::{Random, TinyModel};

    use super::*;

    #[test]
    fn a_state_is_not_cut_back() {
        let path = testkit::golden::path("arch/lfm2/model.gguf");
        let gguf = formats::Gguf::open(path).expect("a golden");
        let model = Model::load(&gguf, &LoadOptions::default()).expect("it loads");
        let model = Arc::new(model);
        let tokens = Random::new(4).tokens(30, model.config().vocab_size);
        let fresh = |tokens: &[u32]| {
            let mut runner = Runner::new(model.clone(), KvType::F16, 40, 1);
            let mut sequence = Text::default();
            sequence.replace(tokens);
            let logits = runner.step(&mut sequence).expect("all is in memory");
            logits.expect("nothing is left").to_vec()
        };
        let mut runner = Runner::new(model.clone(), KvType::F16, 40, 1);
        let mut sequence = Text::default();
        let mut other = tokens[..15].to_vec();
        other.push((other[0] + 1) % 40);
        // From nothing, on from what is computed, back to a common start, and the same once more.
        let prompts = [
            (&tokens[..20], 0),
            (&tokens[..], 20),
            (&other[..], 0),
            (&other[..], 0),
        ];
        for (prompt, kept) in prompts {
            assert_eq!(sequence.replace(prompt), kept);
            let logits = runner.step(&mut sequence).expect("all is in memory");
            assert_eq!(logits.expect("nothing is left"), fresh(prompt));
        }
    }

    #[test]
    fn logits_of_all_tokens_are_those_of_each() {
        let tiny = TinyModel::default();
        let model = Model::load(&tiny.build(), &LoadOptions::default()).expect("it loads");
        let model = Arc::new(model);
        let tokens = Random::new(3).tokens(9, tiny.vocab_size);
        let mut alone = Runner::new(model.clone(), KvType::F16, tokens.len(), 1);
        let mut sequence = Text::default();
        let mut expected = Vec::new();
        for &token in &tokens {
            sequence.push(token);
            let logits = alone.step(&mut sequence).expect("all is in memory");
            expected.extend_from_slice(logits.expect("nothing is left"));
        }
        let mut together = Runner::new(model, KvType::F16, tokens.len(), 4);
        let mut sequence = Text::default();
        sequence.replace(&tokens[..5]);
        together.step(&mut sequence).expect("all is in memory");
        tokens[5..].iter().for_each(|&token| sequence.push(token));
        let found = together.step_with_all_logits(&mut sequence);
        let found = found.expect("all is in memory");
        assert_eq!(found, &expected[5 * tiny.vocab_size..]);
    }
}
