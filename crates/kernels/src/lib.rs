//! The operations a layer is made of, on a CPU: products, attention, norms, rope, activations.
//!
//! Everything takes slices and a [`Context`] (a level of instructions and a thread pool), asserts its
//! shapes at the door, allocates nothing, reads no file and returns no `Result`. For every operation
//! the result is the same bits at every [`Level`], for any number of threads and whatever else is in
//! the batch; [`isa`] and [`quant`] say how. All SIMD of the project is in [`isa`].

#![deny(unsafe_code)]

mod isa;
mod matmul;
mod pool;
mod quant;

use std::sync::Mutex;

pub use isa::Level;
pub use matmul::{Activations, MatmulKernel, Scratch, Weight, XKind, matmul};
pub use pool::{Grid, Pool, Tile};

/// What every operation runs on; made once, at load.
pub struct Context {
    level: Level,
    pool: Pool,
    scratch: Vec<Mutex<Scratch>>,
}

impl Context {
    /// Threads, a level, and room in each thread for weight rows of up to `max_k`.
    ///
    /// # Errors
    /// If the system refuses a thread.
    ///
    /// # Panics
    /// If the CPU lacks the level.
    pub fn new(level: Level, num_threads: usize, max_k: usize) -> std::io::Result<Self> {
        assert!(level.is_available(), "the CPU lacks {}", level.name());
        let pool = Pool::new(num_threads)?;
        let scratch = (0..pool.num_threads())
            .map(|_| Mutex::new(Scratch::new(max_k)))
            .collect();
        Ok(Self {
            level,
            pool,
            scratch,
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
