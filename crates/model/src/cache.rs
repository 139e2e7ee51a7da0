//! Keys and values of all sequences: one pool of KV blocks, of a size fixed when it is made.

use kernels::{AttentionShape, BLOCK_TOKENS, KvLayer, KvType};

use crate::config::{AttentionConfig, LayerConfig, Mixer, ModelConfig};

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
        let layer = |layer: &LayerConfig| {
            let Mixer::Attention(attention) = &layer.mixer;
            KvLayer::new(&attention_shape(attention), kv_type, num_blocks)
        };
        let layers = config.layers.iter().map(layer).collect();
        Self { num_blocks, layers }
    }

    /// How many blocks there are.
    pub fn num_blocks(&self) -> usize {
        self.num_blocks
    }

    /// Blocks that `num_tokens` positions need.
    pub fn blocks_for(num_tokens: usize) -> usize {
        num_tokens.div_ceil(BLOCK_TOKENS)
    }

    /// Bytes of a cache with room for `num_tokens` positions.
    pub fn size_bytes(config: &ModelConfig, kv_type: KvType, num_tokens: usize) -> usize {
        let per_block = config.layers.iter().map(|layer| {
            let Mixer::Attention(attention) = &layer.mixer;
            block_bytes(attention, kv_type)
        });
        per_block
            .sum::<usize>()
            .saturating_mul(Self::blocks_for(num_tokens))
    }

    /// Bytes of keys and values that a token at `position` reads, its own included.
    pub fn read_bytes(config: &ModelConfig, kv_type: KvType, position: usize) -> usize {
        let per_layer = config.layers.iter().map(|layer| {
            let Mixer::Attention(attention) = &layer.mixer;
            let seen = attention
                .window
                .map_or(position + 1, |window| window.min(position + 1));
            block_bytes(attention, kv_type) / BLOCK_TOKENS * seen
        });
        per_layer.sum()
    }
}

fn block_bytes(attention: &AttentionConfig, kv_type: KvType) -> usize {
    KvLayer::block_bytes(&attention_shape(attention), kv_type)
}

pub(crate) fn attention_shape(attention: &AttentionConfig) -> AttentionShape {
    AttentionShape {
        n_heads: attention.n_heads,
        n_kv_heads: attention.n_kv_heads,
        head_dim: attention.head_dim,
        scale: attention.scale,
        window: attention.window,
        softcap: attention.softcap,
    }
}
