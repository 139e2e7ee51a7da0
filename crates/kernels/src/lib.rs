//! The operations a layer is made of, on a CPU: products, attention, norms, rope, activations.
//!
//! Everything takes slices and a [`Context`] (a level of instructions and a thread pool), asserts its
//! shapes at the door, allocates nothing, reads no file and returns no `Result`. For every operation
//! the result is the same bits at every [`Level`] (but one, see there), for any number of threads and
//! whatever else is in the batch; `isa` and `quant` say how. All SIMD of the project is in `isa`.

#![deny(unsafe_code)]

mod activation;
mod attention;
mod elementwise;
mod isa;
mod layer_norm;
pub mod limits;
mod lines;
mod matmul;
mod norm;
mod pace;
mod pool;
mod quant;
mod recurrence;
mod rope;
mod vector;

use std::sync::Mutex;

pub use activation::{Activation, activate, activate_gate, clamp, scale};
pub use attention::{
    AttentionShape, BLOCK_TOKENS, BatchView, HeadTerms, KvLayer, KvType, attention, store_kv,
};
pub use elementwise::{add, gelu_mul, mul, silu_mul, softcap};
pub use isa::Level;
pub use layer_norm::layer_norm;
pub(crate) use lines::Lines;
pub use matmul::{Activations, MatmulKernel, RowPart, Weight, XKind, matmul, matmul_parts};
pub use norm::rms_norm;
pub use pool::{Grid, Pool, Tile};
pub use recurrence::{
    ChannelScan, Columns, ConvWeights, GatedDelta, HeadScan, Heads, StateLayer, Wkv, WkvRule,
    causal_conv, channel_scan, gated_delta, head_scan, wkv,
};
pub use rope::{Pairing, RopeTable, rope};

/// Upper bounds that the threads' scratch room is made for, at load.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Longest weight row.
    pub max_k: usize,
    /// Widest attention head.
    pub max_head_dim: usize,
}

/// A thread's room for unpacked weights and for attention.
struct Scratch {
    int8: matmul::Room,
    attention: attention::Room,
}

impl Scratch {
    fn new(level: Level, sizes: Sizes) -> Self {
        Self {
            int8: matmul::Room::new(level.tiles()),
            attention: attention::Room::new(sizes.max_head_dim),
        }
    }
}

/// What every operation runs on; made once, at load.
pub struct Context {
    level: Level,
    pool: Pool,
    scratch: Vec<Mutex<Scratch>>,
    /// What attention's splits come to, until they are folded.
    splits: Mutex<Lines<f32>>,
}

impl Context {
    /// Threads, a level, and scratch room in each thread.
    ///
    /// # Errors
    /// If the system refuses a thread.
    ///
    /// # Panics
    /// If the CPU lacks the level.
    pub fn new(level: Level, num_threads: usize, sizes: Sizes) -> std::io::Result<Self> {
        assert!(level.is_available(), "the CPU lacks {}", level.name());
        let pool = Pool::new(num_threads)?;
        let scratch = (0..pool.num_threads())
            .map(|_| Mutex::new(Scratch::new(level, sizes)))
            .collect();
        Ok(Self {
            level,
            pool,
            scratch,
            splits: Mutex::new(attention::splits_room()),
        })
    }

    /// The level of instructions in use.
    pub fn level(&self) -> Level {
        self.level
    }

    /// The threads.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }
}
