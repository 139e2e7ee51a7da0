//! Dtypes and every quant block layout, each with its scalar reference reading and writing.
//!
//! The formats are defined here once, in plain safe Rust; everything fast must agree with this crate.
//!
//! - [`DType`] lists the types and the size of their blocks.
//! - [`block`] has one module per layout: where its fields lie, and what a block means.
//! - [`grid`] holds the codebooks of the IQ types.
//! - [`dequantize`] and [`quantize`] turn whole runs of blocks into `f32` and back.

pub mod block;
mod convert;
mod dtype;
pub mod grid;

pub use convert::{NoQuantizer, dequantize, quantize};
pub use dtype::DType;
