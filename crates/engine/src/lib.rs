//! Under construction.

pub mod sampler;
pub mod vocab;
