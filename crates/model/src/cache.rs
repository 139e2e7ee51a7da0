//! Keys and values of all sequences: one pool of KV blocks, of a size fixed when it is made.

use kernels::{BLOCK_TOKENS, KvLayer, KvType};

use crate::config::{LayerConfig, ModelConfig};

/// The KV blocks of every layer. Block `b` holds the same positions of the same sequence in each layer.
pub struct KvCache {
    num_blocks: usize,
    pub(crate) layers: Vec<KvLayer>,
}

impl KvCache {
    /// A cache of `num_blocks` blocks of [`BLOCK_TOKENS`] positions.
    ///
    /// Memory is asked for here and touched as blocks are first used.
    pub fn new(config: &ModelConfig, kv_type: KvType, num_blocks: usize) -> Self {
        let layer = |layer: &LayerConfig| KvLayer::new(&layer.mixer.shape(), kv_type, num_blocks);
        let layers = config.layers.iter().map(layer).collect();
        Self { num_blocks, layers }
    }

    /// How many blocks there are.
    pub fn num_blocks(&self) -> usize {
        self.num_blocks
    }

    /// Makes block `to` hold what `from` does, in every layer.
    ///
    /// # Panics
    /// If there are no such blocks.
    pub fn copy_block(&mut self, from: usize, to: usize) {
        assert!(from.max(to) < self.num_blocks, "blocks are of the cache");
        for layer in &mut self.layers {
            layer.copy_block(self.num_blocks, from, to);
        }
    }

    /// Blocks that `num_tokens` positions need.
    pub fn blocks_for(num_tokens: usize) -> usize {
        num_tokens.div_ceil(BLOCK_TOKENS)
    }

    /// Bytes of a cache with room for `num_tokens` positions.
    pub fn size_bytes(config: &ModelConfig, kv_type: KvType, num_tokens: usize) -> usize {
        let per_block = config
            .layers
            .iter()
            .map(|layer| KvLayer::block_bytes(&layer.mixer.shape(), kv_type));
        per_block
            .sum::<usize>()
            .saturating_mul(Self::blocks_for(num_tokens))
    }

    /// Bytes of keys and values that a token at `position` reads, its own included.
    pub fn read_bytes(config: &ModelConfig, kv_type: KvType, position: usize) -> usize {
        let per_layer = config.layers.iter().map(|layer| {
            let shape = layer.mixer.shape();
            let seen = shape
                .window
                .map_or(position + 1, |window| window.min(position + 1));
            KvLayer::block_bytes(&shape, kv_type) / BLOCK_TOKENS * seen
        });
        per_layer.sum()
    }
}
