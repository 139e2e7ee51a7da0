//! Dtypes and every quant block layout, each with its scalar reference reading and writing.
//!
//! The formats are defined here once, in plain safe Rust; all that is fast must agree with this.
//!
//! - [`DType`] lists the types and the size of their blocks.
//! - [`block`] has one module per layout: where its fields lie, and what a block means.
//! - [`fp8`] is the 8-bit float of safetensors files, which GGUF does not have.
//! - [`grid`] holds the codebooks of the IQ types.
//! - [`dequantize`] and [`quantize`] turn whole runs of blocks into `f32` and back.
//!
//! ```
//! use tensor::{DType, dequantize, quantize};
//!
//! let weights = [0.25; 32];
//! let mut block = [0; DType::Q8_0.block_bytes()];
//! quantize(DType::Q8_0, &weights, &mut block)?;
//!
//! let mut back = [0.0; 32];
//! dequantize(DType::Q8_0, &block, &mut back);
//! assert!((back[0] - 0.25).abs() < 0.001);
//! # Ok::<(), tensor::NoQuantizer>(())
//! ```

#![forbid(unsafe_code)]

pub mod block;
mod convert;
mod dtype;
pub mod fp8;
pub mod grid;

pub use convert::{NoQuantizer, dequantize, quantize};
pub use dtype::DType;
