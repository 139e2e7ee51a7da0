//! Decoders as data over one layer: an architecture's config, its weights, the forward pass.
//!
//! A family file in [`arch`] turns metadata into a [`config::ModelConfig`]; from there on nothing knows
//! a model's name. The forward pass takes a [`Batch`], a list of tokens with positions of any number
//! of sequences, and gives logits; keys and values live in a [`KvCache`] of blocks that the caller
//! hands out. It knows nothing of requests, samplers or text.

#![forbid(unsafe_code)]

pub mod arch;
mod batch;
mod cache;
pub mod config;
mod decoder;
mod error;
mod ffn;
pub mod hf;
pub mod hparams;
mod layer;
mod mixer;
mod model;
pub mod names;
mod norm;
mod ops;
pub mod placement;
mod probe;
mod rank;
mod repack;
mod residence;
mod rope;
mod weights;
mod workspace;

pub use batch::{Batch, Tables};
pub use cache::{Kept, KvCache, NumBlocks};
pub use error::LoadError;
pub use formats::ReadError;
pub use kernels::{BLOCK_TOKENS, KvType, Level, Pool, limits};
pub use model::{LoadOptions, Model};
pub use placement::Placement;
pub use probe::{NoProbe, Probe};
pub use rank::RankHead;
pub use repack::Repacking;
pub use weights::{Linear, Loader};
pub use workspace::Workspace;
