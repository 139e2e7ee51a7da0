//! What tests share: small random models, an f64 forward pass, golden files, measures of distance.
//!
//! Nothing here is part of a release, and nothing here uses the code under test: the oracle
//! ([`mod@reference`]) knows formats and quant blocks, but no kernel, no model and no engine.
//! It panics where a test would: on the first thing that is not as it should be.

#![forbid(unsafe_code)]

pub mod distance;
pub mod folder;
pub mod golden;
pub mod random;
pub mod reference;
pub mod tiny;
pub mod weights;

pub use folder::ModelFolder;
pub use random::Random;
pub use tiny::TinyModel;
