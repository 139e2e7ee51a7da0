//! From token ids to token ids: sequences, scheduling, sampling, generation. One thread, no async, no HTTP.
//!
//! An [`Engine`] computes any number of [`Request`]s over one [`Backend`], step by step, and tells each one's
//! [`Sink`] what comes of it. Requests are checked once, on entry. A [`Runner`] computes one sequence alone, for
//! measurements.

#![forbid(unsafe_code)]

mod backend;
mod embed;
mod engine;
pub mod grammar;
pub mod hf;
mod kv;
mod masks;
mod pace;
mod reply;
mod request;
mod runner;
pub mod sampler;
mod saved;
mod scheduler;
mod sequence;
mod speculate;
mod stop;
mod task;
mod thoughts;
pub mod vocab;

pub use backend::{Backend, MAX_STEP_TOKENS, ModelBackend, Window};
pub use embed::{EmbedRequest, Pooling};
pub use engine::{Engine, EngineOptions, EngineStats, RequestId};
pub use request::{
    Ending, Event, FinishReason, MAX_LOGPROBS, Request, RequestError, Sink, StopCause, TokenInfo,
    Usage,
};
pub use runner::{Runner, Text};
pub use saved::{RestoreError, Saved, SavedSize};
pub use speculate::Guesses;
pub use stop::StopStrings;
pub use thoughts::ThoughtLimit;
