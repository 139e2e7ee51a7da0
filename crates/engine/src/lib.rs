//! Under construction.

pub mod vocab;
