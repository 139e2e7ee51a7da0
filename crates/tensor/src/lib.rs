//! Dtypes and every quant block layout, each with its scalar reference reading and writing.
//!
//! The formats are defined here once, in plain safe Rust; everything fast must agree with this crate.

mod dtype;

pub use dtype::DType;
