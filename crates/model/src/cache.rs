//! What is kept of all sequences: keys and values in pools of KV blocks, and states in slots; of a size fixed when it is
//! made.
//!
//! Attention keeps keys and values of every position, or, where it sees a window, of those that a token may still see:
//! layers of either kind have a pool of blocks of their own ([`Kept`]). A recurrent layer keeps a *state* of one size, which every
//! token overwrites: a sequence goes back to an earlier position only with a copy of the state it had there
//! ([`KvCache::copy_state`] to a slot that nobody uses, and back).

use kernels::{AttentionShape, BLOCK_TOKENS, KvLayer, KvType, StateLayer};

use crate::config::ModelConfig;

/// Which layers: by what they keep of a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kept {
    /// All positions.
    All,
    /// Those that a window may still see.
    Window,
}

impl Kept {
    fn of(shape: &AttentionShape) -> Self {
        match shape.window {
            Some(_) => Self::Window,
            None => Self::All,
        }
    }
}

/// How many KV blocks there are for layers of either kind; a number stands for as many of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumBlocks {
    /// For [`Kept::All`].
    pub all: usize,
    /// For [`Kept::Window`].
    pub window: usize,
}

impl NumBlocks {
    /// For these layers.
    pub fn of(self, kept: Kept) -> usize {
        match kept {
            Kept::All => self.all,
            Kept::Window => self.window,
        }
    }
}

impl From<usize> for NumBlocks {
    fn from(number: usize) -> Self {
        let (all, window) = (number, number);
        Self { all, window }
    }
}

/// The KV blocks and states of every layer. Block `b` holds the same positions of the same sequence in each layer of a
/// kind.
pub struct KvCache {
    num_blocks: NumBlocks,
    /// Positions that the layers of [`Kept::Window`] see; none if there are none.
    window: Option<usize>,
    num_states: usize,
    pub(crate) layers: Vec<LayerCache>,
}

/// What one layer keeps.
pub(crate) struct LayerCache {
    kv: Option<KvLayer>,
    kept: Kept,
    /// Of keys and values.
    block_bytes: usize,
    /// As [`crate::config::LayerConfig::state_lens`] lists them.
    states: [StateLayer; 3],
}

impl LayerCache {
    pub(crate) fn kept(&self) -> Kept {
        self.kept
    }

    /// Keys and values.
    ///
    /// # Panics
    /// If the layer has no attention: only attention asks.
    pub(crate) fn kv(&mut self) -> &mut KvLayer {
        self.kv.as_mut().expect("a layer with attention")
    }

    /// The mixer's: a convolution's last inputs, and what else recurs.
    pub(crate) fn states(&mut self) -> &mut [StateLayer; 2] {
        self.states.first_chunk_mut().expect("three are more")
    }

    /// The feed-forward network's.
    pub(crate) fn ffn_state(&mut self) -> &mut StateLayer {
        &mut self.states[2]
    }
}

impl KvCache {
    /// A cache of `num_blocks` blocks of [`BLOCK_TOKENS`] positions, and of `num_states` slots for states.
    ///
    /// Memory is asked for here and touched as blocks and slots are first used. A layer without attention takes none
    /// for blocks, one without a state none for slots.
    pub fn new(
        config: &ModelConfig,
        kv_type: KvType,
        num_blocks: impl Into<NumBlocks>,
        num_states: usize,
    ) -> Self {
        let num_blocks = num_blocks.into();
        let layers = config.layers.iter().map(|layer| {
            let shape = layer.mixer.shape();
            let kept = shape.map_or(Kept::All, |shape| Kept::of(&shape));
            LayerCache {
                kept,
                block_bytes: shape.map_or(0, |shape| KvLayer::block_bytes(&shape, kv_type)),
                kv: shape.map(|shape| KvLayer::new(&shape, kv_type, num_blocks.of(kept))),
                states: layer
                    .state_lens(config.d_model)
                    .map(|len| StateLayer::new(len, num_states)),
            }
        });
        Self {
            num_blocks,
            window: Self::window_of(config),
            num_states,
            layers: layers.collect(),
        }
    }

    /// How many blocks there are for these layers.
    pub fn num_blocks(&self, kept: Kept) -> usize {
        self.num_blocks.of(kept)
    }

    /// As [`KvCache::window_of`] the model.
    pub fn window(&self) -> Option<usize> {
        self.window
    }

    /// Positions that layers with a window see, the largest if they differ: what is to be kept for them. None if no layer
    /// has one.
    pub fn window_of(config: &ModelConfig) -> Option<usize> {
        shapes(config).filter_map(|shape| shape.window).max()
    }

    /// Makes block `to` hold what `from` does, in these layers.
    ///
    /// # Panics
    /// If there are no such blocks.
    pub fn copy_block(&mut self, kept: Kept, from: usize, to: usize) {
        let num_blocks = self.check_block(kept, from.max(to));
        for layer in self.layers.iter_mut().filter(|layer| layer.kept == kept) {
            if let Some(kv) = &mut layer.kv {
                kv.copy_block(num_blocks, from, to);
            }
        }
    }

    /// What the first `len` positions of block `block` hold in these layers, [`KvCache::block_bytes`] long; the others
    /// are 0.
    ///
    /// # Panics
    /// If there is no such block.
    pub fn block(&self, kept: Kept, block: usize, len: usize) -> Vec<u8> {
        let num_blocks = self.check_block(kept, block);
        let mut bytes = Vec::with_capacity(self.block_bytes(kept));
        let layers = self.layers.iter().filter(|layer| layer.kept == kept);
        for kv in layers.filter_map(|layer| layer.kv.as_ref()) {
            kv.save_block(num_blocks, block, len, &mut bytes);
        }
        bytes
    }

    /// Fills block `block` with what [`KvCache::block`] gave, of this model and type.
    ///
    /// # Panics
    /// If there is no such block, or `bytes` is not as long as one.
    pub fn set_block(&mut self, kept: Kept, block: usize, bytes: &[u8]) {
        let num_blocks = self.check_block(kept, block);
        assert_eq!(bytes.len(), self.block_bytes(kept), "as long as a block");
        let mut rest = bytes;
        for layer in self.layers.iter_mut().filter(|layer| layer.kept == kept) {
            if let Some(kv) = &mut layer.kv {
                let (own, after) = rest.split_at(layer.block_bytes);
                kv.load_block(num_blocks, block, own);
                rest = after;
            }
        }
    }

    /// Bytes of a block in all of these layers.
    pub fn block_bytes(&self, kept: Kept) -> usize {
        let layers = self.layers.iter().filter(|layer| layer.kept == kept);
        layers.map(|layer| layer.block_bytes).sum()
    }

    /// How many slots for states there are.
    pub fn num_states(&self) -> usize {
        self.num_states
    }

    /// Whether slots hold anything.
    pub(crate) fn has_state(&self) -> bool {
        self.state_layers().any(|layer| layer.slot_len() > 0)
    }

    /// Slot `to` becomes what slot `from` is: a snapshot, or the way back to one.
    ///
    /// # Panics
    /// If there are no such slots.
    pub fn copy_state(&mut self, from: usize, to: usize) {
        self.check_slot(from);
        self.check_slot(to);
        for layer in &mut self.layers {
            for state in &mut layer.states {
                state.copy(from, to);
            }
        }
    }

    /// What slot `slot` holds, [`KvCache::state_bytes`] long: numbers of 4 bytes, lowest first.
    ///
    /// # Panics
    /// If there is no such slot.
    pub fn state(&self, slot: usize) -> Vec<u8> {
        self.check_slot(slot);
        let numbers = self.state_layers().flat_map(|layer| layer.slot(slot));
        numbers.flat_map(|x| x.to_le_bytes()).collect()
    }

    /// Fills slot `slot` with what [`KvCache::state`] gave, of this model.
    ///
    /// # Panics
    /// If there is no such slot, or `bytes` is not as long as a state.
    pub fn set_state(&mut self, slot: usize, bytes: &[u8]) {
        self.check_slot(slot);
        let layers = self.layers.iter_mut().flat_map(|layer| &mut layer.states);
        let mut rest = bytes;
        for layer in layers {
            let numbers = layer.slot_mut(slot);
            let (bytes, after) = rest
                .split_at_checked(4 * numbers.len())
                .expect("as long as a state");
            for (x, bytes) in numbers.iter_mut().zip(bytes.as_chunks::<4>().0) {
                *x = f32::from_le_bytes(*bytes);
            }
            rest = after;
        }
        assert!(rest.is_empty(), "as long as a state");
    }

    /// Blocks that `num_tokens` positions need.
    pub fn blocks_for(num_tokens: usize) -> usize {
        num_tokens.div_ceil(BLOCK_TOKENS)
    }

    /// Bytes of the KV blocks of a cache of so many.
    pub fn size_bytes(
        config: &ModelConfig,
        kv_type: KvType,
        num_blocks: impl Into<NumBlocks>,
    ) -> usize {
        let num_blocks = num_blocks.into();
        let per_layer = shapes(config).map(|shape| {
            let num_blocks = num_blocks.of(Kept::of(&shape));
            KvLayer::block_bytes(&shape, kv_type).saturating_mul(num_blocks)
        });
        per_layer.fold(0, usize::saturating_add)
    }

    /// Bytes of one slot; 0 if the model has no state.
    pub fn state_bytes(config: &ModelConfig) -> usize {
        let lens = config
            .layers
            .iter()
            .flat_map(|layer| layer.state_lens(config.d_model));
        lens.sum::<usize>().saturating_mul(size_of::<f32>())
    }

    /// Bytes that a token at `position` reads, its own keys and values included, and a state.
    pub fn read_bytes(config: &ModelConfig, kv_type: KvType, position: usize) -> usize {
        let per_layer = shapes(config).map(|shape| {
            let seen = shape
                .window
                .map_or(position + 1, |window| window.min(position + 1));
            KvLayer::block_bytes(&shape, kv_type) / BLOCK_TOKENS * seen
        });
        per_layer.sum::<usize>() + Self::state_bytes(config)
    }

    fn state_layers(&self) -> impl Iterator<Item = &StateLayer> {
        self.layers.iter().flat_map(|layer| &layer.states)
    }

    /// How many blocks there are.
    fn check_block(&self, kept: Kept, block: usize) -> usize {
        let num_blocks = self.num_blocks(kept);
        assert!(block < num_blocks, "blocks are of the cache");
        num_blocks
    }

    fn check_slot(&self, slot: usize) {
        assert!(
            slot < self.num_states,
            "slot {slot} of {} states",
            self.num_states
        );
    }
}

/// Attention of the layers that have it.
fn shapes(config: &ModelConfig) -> impl Iterator<Item = AttentionShape> {
    config.layers.iter().filter_map(|layer| layer.mixer.shape())
}
