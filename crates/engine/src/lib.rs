//! From token ids to token ids: sequences, sampling, generation. One thread, no async, no HTTP.
//!
//! A [`Runner`] computes a sequence's uncomputed tokens in steps of bounded size; a [`Generator`] puts
//! a sampler, a detokeniser and stop strings behind it. Requests are checked once, on entry.

#![forbid(unsafe_code)]

mod generate;
pub mod grammar;
pub mod hf;
mod runner;
pub mod sampler;
mod stop;
pub mod vocab;

pub use generate::{FinishReason, GenerateRequest, Generator, RequestError, Usage};
pub use runner::{MAX_STEP_TOKENS, Runner, Sequence};
pub use stop::StopStrings;
