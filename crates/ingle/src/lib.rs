//! Language models on the machine you have.
//!
//! ```no_run
//! use ingle::Model;
//!
//! let model = Model::load("smollm2")?;
//! for piece in model.chat("Why is the sky blue?").stream()? {
//!     print!("{}", piece?);
//! }
//! # Ok::<(), ingle::Error>(())
//! ```
//!
//! A name is a short name of the built-in catalogue, `user/repo[:QUANT]` of the Hugging Face hub, a
//! path or an https URL. A path is that of a GGUF file or of a folder with `config.json` and safetensors. Every blocking call has an `_async` sibling that works on any runtime. A
//! [`Model`] is a cheap handle; requests on it are computed together, and none changes another's text.

#![forbid(unsafe_code)]

mod answer;
mod answers;
pub mod bench;
mod builder;
mod cgroup;
mod chat;
pub mod dialogue;
mod draft;
mod embed;
mod error;
mod fields;
pub mod limits;
pub mod memory;
mod open;
mod parts;
pub mod perplexity;
mod pool;
mod prefix;
mod prompt;
pub mod quant;
mod reply;
mod request;
mod rerank;
mod sdk;
mod thoughts;
mod toolbox;
mod typed;
mod worker;

pub use answer::{Answer, AnswerBuilder, DeltaStream};
pub use builder::{DEFAULT_PARALLEL, ModelBuilder};
pub use chat::{Chat, Message};
pub use draft::DraftError;
pub use embed::Embed;
pub use engine::grammar::{GrammarError, GrammarSpec};
pub use engine::hf::{NamedTemplate, SamplerDefaults};
pub use engine::sampler::{self, SamplerParams};
pub use engine::{
    Ending, EngineStats, FinishReason, Guesses, Pooling, RequestError, RestoreError, StopCause,
    TokenInfo, Usage,
};
pub use error::Error;
pub use fields::{bias_field, sampler_fields};
pub use formats::{Gguf, Value as GgufValue};
pub use hub;
pub use model::{self, BLOCK_TOKENS, KvType, Level};
pub use open::{ModelFiles, open, resolve};
pub use parts::{Part, PartStream, Prepared};
pub use pool::{Keep, Pool, PoolBuilder, PoolEntry};
pub use prefix::{PrefixError, Prefixes};
pub use reply::{AsyncReplyStream, Piece, Reply, ReplyStream, mean_logprob};
pub use request::{MAX_CHOICES, Request};
pub use rerank::Rerank;
pub use sdk::{Model, ModelInfo};
pub use tensor::DType;
pub use tokenizer::{ChatTemplate, TemplateError, TemplateInput, Tokenizer};
pub use toolbox::Toolbox;

/// The programs of `docs/migrating.md`, compiled as tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/migrating.md")]
struct Migrating;

/// The programs of `docs/sdk.md`, likewise.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/sdk.md")]
struct Sdk;
