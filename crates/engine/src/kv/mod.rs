//! Room for keys and values: blocks, who holds them, and what can be found in them again.

mod pool;
mod slots;
mod states;
mod tree;
mod windows;

pub(crate) use pool::{BlockPool, BlockTable, Hit};
pub(crate) use states::StatePool;
pub(crate) use tree::Serial;
