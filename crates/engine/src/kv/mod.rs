//! Room for keys and values: blocks, who holds them, and what can be found in them again.

mod pool;
mod tree;

pub(crate) use pool::{BlockPool, BlockTable, Hit};
