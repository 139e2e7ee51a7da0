//! What computes steps: a model with its cache and buffers, or in simulations something that stands for one.

use std::sync::Arc;

use model::{
    BLOCK_TOKENS, Batch, Kept, KvCache, KvType, Model, NoProbe, NumBlocks, ReadError, Workspace,
};

/// Most tokens of one step: with more, activations leave the caches, and weights are read seldom enough as it is.
pub const MAX_STEP_TOKENS: usize = 256;

/// What layers with a window keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Positions that a token sees, itself included.
    pub len: usize,
    /// KV blocks for these layers.
    pub num_blocks: usize,
}

impl Window {
    /// Blocks of a text that it needs at once to go on: those that its next tokens see, and one to grow into.
    pub const fn blocks_per_text(len: usize) -> usize {
        len.div_ceil(BLOCK_TOKENS) + 2
    }

    /// Of a text's blocks the first of which the token at `position` sees anything.
    pub const fn first_seen(self, position: usize) -> usize {
        (position + 1).saturating_sub(self.len) / BLOCK_TOKENS
    }
}

/// Computes batches over a cache of KV blocks of its own.
pub trait Backend {
    /// Logits of a row.
    fn vocab_size(&self) -> usize;
    /// KV blocks of the cache, for layers that keep everything.
    fn num_blocks(&self) -> usize;
    /// KV blocks for layers with a window; none if no layer has one.
    fn window(&self) -> Option<Window> {
        None
    }
    /// Slots for states of sequences; none if the model keeps no state. With one, a sequence cannot be cut back, and
    /// what others computed is of no use to it.
    fn num_states(&self) -> Option<usize> {
        None
    }
    /// Most tokens of a step.
    fn max_tokens(&self) -> usize;
    /// Most rows of logits of a step.
    fn max_outputs(&self) -> usize;
    /// Makes KV block `to` of these layers hold what `from` does.
    fn copy_block(&mut self, kept: Kept, from: u32, to: u32);
    /// Makes slot `to` of states hold what `from` does.
    fn copy_state(&mut self, from: u32, to: u32) {
        unreachable!("no states, of which {from} could become {to}");
    }
    /// What the first `len` positions of a KV block hold, always as many bytes; the others are 0.
    fn block(&self, kept: Kept, block: u32, len: usize) -> Vec<u8>;
    /// Makes a KV block hold what [`Backend::block`] gave.
    fn set_block(&mut self, kept: Kept, block: u32, bytes: &[u8]);
    /// Bytes of a KV block.
    fn block_bytes(&self, kept: Kept) -> usize;
    /// What a slot of states holds, always as many bytes; none if the model keeps no state.
    fn state(&self, slot: u32) -> Vec<u8> {
        unreachable!("no states, of which slot {slot} could be one");
    }
    /// Makes a slot hold what [`Backend::state`] gave.
    fn set_state(&mut self, slot: u32, bytes: &[u8]) {
        unreachable!("no states of {} bytes, in slot {slot}", bytes.len());
    }
    /// Bytes of a slot of states.
    fn state_bytes(&self) -> usize {
        0
    }
    /// Computes a batch.
    ///
    /// # Errors
    /// If weights that are not in memory cannot be read. The same batch can be tried again, unless sequences have a
    /// state: those must begin anew.
    fn forward(&mut self, batch: &Batch<'_>) -> Result<(), ReadError>;
    /// Logits of the last batch's outputs, `[n_outputs, vocab_size]`.
    fn logits(&self) -> &[f32];
    /// Hidden states of the last batch's rows that asked for them, `[n_rows, d_model]`.
    fn hidden(&self) -> &[f32];
}

/// A model on this machine.
pub struct ModelBackend {
    model: Arc<Model>,
    cache: KvCache,
    workspace: Workspace,
    num_outputs: usize,
    num_hidden: usize,
}

impl ModelBackend {
    /// A cache of `num_blocks` KV blocks that hold `kv_type` and `num_states` slots for states, and buffers for steps of
    /// `max_tokens` tokens with `max_outputs` rows of logits.
    pub fn new(
        model: Arc<Model>,
        kv_type: KvType,
        (num_blocks, num_states): (impl Into<NumBlocks>, usize),
        max_tokens: usize,
        max_outputs: usize,
    ) -> Self {
        Self {
            cache: KvCache::new(model.config(), kv_type, num_blocks, num_states),
            workspace: Workspace::new(model.config(), max_tokens, max_outputs),
            model,
            num_outputs: 0,
            num_hidden: 0,
        }
    }

    /// The model.
    pub fn model(&self) -> &Arc<Model> {
        &self.model
    }
}

impl Backend for ModelBackend {
    fn vocab_size(&self) -> usize {
        self.model.config().vocab_size
    }

    fn num_blocks(&self) -> usize {
        self.cache.num_blocks(Kept::All)
    }

    fn window(&self) -> Option<Window> {
        let num_blocks = self.cache.num_blocks(Kept::Window);
        let len = self.cache.window()?;
        Some(Window { len, num_blocks })
    }

    fn num_states(&self) -> Option<usize> {
        let has_state = self.model.config().has_state();
        has_state.then(|| self.cache.num_states())
    }

    fn max_tokens(&self) -> usize {
        self.workspace.max_tokens()
    }

    fn max_outputs(&self) -> usize {
        self.workspace.max_outputs()
    }

    fn copy_block(&mut self, kept: Kept, from: u32, to: u32) {
        self.cache.copy_block(kept, from as usize, to as usize);
    }

    fn copy_state(&mut self, from: u32, to: u32) {
        self.cache.copy_state(from as usize, to as usize);
    }

    fn block(&self, kept: Kept, block: u32, len: usize) -> Vec<u8> {
        self.cache.block(kept, block as usize, len)
    }

    fn set_block(&mut self, kept: Kept, block: u32, bytes: &[u8]) {
        self.cache.set_block(kept, block as usize, bytes);
    }

    fn block_bytes(&self, kept: Kept) -> usize {
        self.cache.block_bytes(kept)
    }

    fn state(&self, slot: u32) -> Vec<u8> {
        self.cache.state(slot as usize)
    }

    fn set_state(&mut self, slot: u32, bytes: &[u8]) {
        self.cache.set_state(slot as usize, bytes);
    }

    fn state_bytes(&self) -> usize {
        KvCache::state_bytes(self.model.config())
    }

    fn forward(&mut self, batch: &Batch<'_>) -> Result<(), ReadError> {
        let (cache, workspace) = (&mut self.cache, &mut self.workspace);
        self.model.forward(batch, cache, workspace, &mut NoProbe)?;
        (self.num_outputs, self.num_hidden) = (batch.outputs.len(), batch.hidden.len());
        Ok(())
    }

    fn logits(&self) -> &[f32] {
        &self.workspace.logits()[..self.num_outputs * self.vocab_size()]
    }

    fn hidden(&self) -> &[f32] {
        &self.workspace.hidden()[..self.num_hidden * self.model.config().d_model]
    }
}
