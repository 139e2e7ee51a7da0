//! What a layer keeps of keys and values, and where it lies.
//!
//! Both types are cut into *KV blocks* of [`BLOCK_TOKENS`] positions, and a block into heads. A vector of
//! keys is 16 positions, so that a score needs no sum across lanes; a vector of values is 16 elements:
//!
//! ```text
//! f16    keys    [block][head][dim][64 positions]             values  [block][head][64 positions][dim]
//! int8   keys    [block][head][dim / 4][64 positions][4]      values  [block][head][dim / 16][16][16 dims][4 positions]
//!        scales  [block][head][64 positions] in f32, for keys and again for values
//! int4   as int8, but a byte holds two numbers: of keys those of groups of four that follow each other, of values those
//!        of groups of four positions
//!        anchors [block][head][dim] in f32: what keys are differences from, see `anchor.rs`
//! ```
//!
//! Int8 numbers lie as the int8 dot product of CPUs takes them: groups of four that are summed. A
//! position of a head has one scale, `max|x| / 127`, or of four bits the best of some from `max|x| / 7` down; keys and
//! values are rotated first (see `rotate.rs`), which is why one scale serves a whole head.

use std::str::FromStr;

use super::{AttentionShape, BLOCK_TOKENS};
use crate::Lines;
use crate::isa::LANES;

/// What numbers keys and values are kept as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum KvType {
    /// 16-bit floats.
    #[default]
    F16,
    /// 8-bit integers with a scale per position and head: half the memory.
    Q8,
    /// 4-bit integers likewise: a quarter of the memory, and what it costs in quality is to be seen.
    Q4,
}

impl KvType {
    /// All types, as [`KvType::name`] spells them.
    pub const ALL: [Self; 3] = [Self::F16, Self::Q8, Self::Q4];

    /// Its name on the command line; `q8_0` and `q4_0` are what other programs call such caches.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F16 => "f16",
            Self::Q8 => "q8_0",
            Self::Q4 => "q4_0",
        }
    }

    /// Numbers in a byte, of integers.
    const fn per_byte(self) -> usize {
        match self {
            Self::F16 | Self::Q8 => 1,
            Self::Q4 => 2,
        }
    }
}

impl FromStr for KvType {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|kv_type| kv_type.name() == name);
        found.ok_or_else(|| {
            format!("expected a type of keys and values (f16, q8_0, q4_0), found `{name}`")
        })
    }
}

/// One layer's keys and values, in KV blocks.
pub struct KvLayer {
    pub(super) data: KvData,
    n_kv_heads: usize,
}

pub(super) enum KvData {
    F16 {
        keys: Lines<u16>,
        values: Lines<u16>,
    },
    Int {
        /// [`KvType::Q8`] or [`KvType::Q4`].
        kv_type: KvType,
        /// 128 is added to each, as one operand of the dot product is unsigned; 8 of four bits.
        keys: Lines<u8>,
        /// Signed, as bytes; of four bits 8 is added.
        values: Lines<u8>,
        key_scales: Lines<f32>,
        value_scales: Lines<f32>,
        /// Of four bits.
        anchors: Lines<f32>,
    },
}

impl KvLayer {
    /// Room for `num_blocks` blocks; memory is asked for here and touched as blocks are first used.
    pub fn new(shape: &AttentionShape, kv_type: KvType, num_blocks: usize) -> Self {
        let len = num_blocks * shape.n_kv_heads * head_block_len(shape);
        let num_scales = num_blocks * shape.n_kv_heads * BLOCK_TOKENS;
        let data = match kv_type {
            KvType::F16 => KvData::F16 {
                keys: Lines::new(0, len),
                values: Lines::new(0, len),
            },
            KvType::Q8 | KvType::Q4 => KvData::Int {
                kv_type,
                keys: Lines::new(0, len / kv_type.per_byte()),
                values: Lines::new(0, len / kv_type.per_byte()),
                key_scales: Lines::new(0.0, num_scales),
                value_scales: Lines::new(0.0, num_scales),
                anchors: Lines::new(
                    0.0,
                    num_blocks * shape.n_kv_heads * anchor_len(shape, kv_type),
                ),
            },
        };
        Self {
            data,
            n_kv_heads: shape.n_kv_heads,
        }
    }

    /// Bytes of one block.
    pub fn block_bytes(shape: &AttentionShape, kv_type: KvType) -> usize {
        let len = head_block_len(shape);
        let head = match kv_type {
            KvType::F16 => 2 * size_of::<u16>() * len,
            KvType::Q8 | KvType::Q4 => {
                let scales = 2 * BLOCK_TOKENS + anchor_len(shape, kv_type);
                2 * len / kv_type.per_byte() + size_of::<f32>() * scales
            }
        };
        shape.n_kv_heads * head
    }

    /// Makes block `to` hold what block `from` of the `num_blocks` does.
    pub fn copy_block(&mut self, num_blocks: usize, from: usize, to: usize) {
        fn copy<T: Copy>(numbers: &mut [T], num_blocks: usize, from: usize, to: usize) {
            let len = numbers.len() / num_blocks;
            numbers.copy_within(from * len..(from + 1) * len, to * len);
        }
        match &mut self.data {
            KvData::F16 { keys, values } => {
                copy(keys, num_blocks, from, to);
                copy(values, num_blocks, from, to);
            }
            KvData::Int {
                keys,
                values,
                key_scales,
                value_scales,
                anchors,
                ..
            } => {
                copy(keys, num_blocks, from, to);
                copy(values, num_blocks, from, to);
                copy(key_scales, num_blocks, from, to);
                copy(value_scales, num_blocks, from, to);
                copy(anchors, num_blocks, from, to);
            }
        }
    }

    /// Adds what the first `len` positions of block `block` of the `num_blocks` hold to `bytes`, [`Self::block_bytes`] of
    /// them; the other positions, which may be of another text, are 0. Numbers have their lowest byte first.
    pub fn save_block(&self, num_blocks: usize, block: usize, len: usize, bytes: &mut Vec<u8>) {
        fn save<T: Copy, const N: usize>(
            bytes: &mut Vec<u8>,
            numbers: &[T],
            (num_blocks, block): (usize, usize),
            to_bytes: impl Fn(usize, T) -> [u8; N],
        ) {
            let size = numbers.len() / num_blocks;
            let held = numbers[block * size..(block + 1) * size].iter().enumerate();
            bytes.extend(held.flat_map(|(i, &number)| to_bytes(i, number)));
        }
        let (at, is_kept) = ((num_blocks, block), |position: usize| position < len);
        match &self.data {
            KvData::F16 { keys, values } => {
                let stride = keys.len() / num_blocks / self.n_kv_heads / BLOCK_TOKENS;
                let half = |position, x: u16| {
                    if is_kept(position) {
                        x.to_le_bytes()
                    } else {
                        [0; 2]
                    }
                };
                save(bytes, keys, at, |i, x| half(i % BLOCK_TOKENS, x));
                save(bytes, values, at, |i, x| half(i / stride % BLOCK_TOKENS, x));
            }
            KvData::Int {
                kv_type,
                keys,
                values,
                key_scales,
                value_scales,
                anchors,
            } => {
                let byte = |position, x: u8| if is_kept(position) { x } else { 0 };
                save(bytes, keys, at, |i, x| [byte(i / 4 % BLOCK_TOKENS, x)]);
                let per_byte = kv_type.per_byte();
                let groups = BLOCK_TOKENS / 4 / per_byte;
                // The first of the groups of four positions that a byte has numbers of.
                let group = |i: usize| i / (4 * LANES) % groups * per_byte;
                save(bytes, values, at, |i, x| {
                    match kv_type {
                        KvType::Q4 => [0, 1].map(|half| {
                            let x = x & (15 << (4 * half));
                            byte((group(i) + half) * 4 + i % 4, x)
                        }),
                        _ => [byte(group(i) * 4 + i % 4, x), 0],
                    }
                    .into_iter()
                    .fold([0], |[all], x| [all | x])
                });
                for scales in [key_scales, value_scales] {
                    save(bytes, scales, at, |i, x: f32| {
                        match is_kept(i % BLOCK_TOKENS) {
                            true => x.to_le_bytes(),
                            false => [0; 4],
                        }
                    });
                }
                save(bytes, anchors, at, |_, x: f32| match is_kept(0) {
                    true => x.to_le_bytes(),
                    false => [0; 4],
                });
            }
        }
    }

    /// Makes block `block` of the `num_blocks` hold what [`Self::save_block`] gave, of a layer of the same shape and
    /// type.
    ///
    /// # Panics
    /// If there are not as many `bytes` as a block has.
    pub fn load_block(&mut self, num_blocks: usize, block: usize, bytes: &[u8]) {
        fn load<T, const N: usize>(
            bytes: &mut &[u8],
            numbers: &mut [T],
            (num_blocks, block): (usize, usize),
            of_bytes: impl Fn([u8; N]) -> T,
        ) {
            let size = numbers.len() / num_blocks;
            let (own, rest) = bytes.split_at(size * N);
            let held = &mut numbers[block * size..(block + 1) * size];
            for (number, bytes) in held.iter_mut().zip(own.as_chunks::<N>().0) {
                *number = of_bytes(*bytes);
            }
            *bytes = rest;
        }
        let (at, mut bytes) = ((num_blocks, block), bytes);
        match &mut self.data {
            KvData::F16 { keys, values } => {
                load(&mut bytes, keys, at, u16::from_le_bytes);
                load(&mut bytes, values, at, u16::from_le_bytes);
            }
            KvData::Int {
                keys,
                values,
                key_scales,
                value_scales,
                anchors,
                ..
            } => {
                load(&mut bytes, keys, at, |[x]| x);
                load(&mut bytes, values, at, |[x]| x);
                load(&mut bytes, key_scales, at, f32::from_le_bytes);
                load(&mut bytes, value_scales, at, f32::from_le_bytes);
                load(&mut bytes, anchors, at, f32::from_le_bytes);
            }
        }
        assert!(bytes.is_empty(), "as many bytes as a block has");
    }

    /// What numbers it holds.
    pub fn kv_type(&self) -> KvType {
        match self.data {
            KvData::F16 { .. } => KvType::F16,
            KvData::Int { kv_type, .. } => kv_type,
        }
    }
}

/// Elements of a head, padded to whole vectors.
pub(super) fn stride(shape: &AttentionShape) -> usize {
    shape.head_dim.next_multiple_of(LANES)
}

/// Elements of the anchor that a head has in a block.
fn anchor_len(shape: &AttentionShape, kv_type: KvType) -> usize {
    if kv_type == KvType::Q4 {
        stride(shape)
    } else {
        0
    }
}

/// Numbers that one head has in a block, of keys or of values.
pub(super) fn head_block_len(shape: &AttentionShape) -> usize {
    stride(shape) * BLOCK_TOKENS
}
