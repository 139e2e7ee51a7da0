//! `ingle serve`: models behind HTTP, for the clients that people already have.
//!
//! ```text
//! connection ─serve► guard (host, origin, key) ─body► a dialect's types ─► ingle::Request ─generate► replies
//!            ◄─ sse · JSON · error ◄─ the dialect's shapes ◄────────────────────────────────────────┘
//! ```
//!
//! One folder per dialect (`openai`, `llamacpp` and so on): what it reads, what it writes. What they share is
//! beside them: `fields` (how to choose tokens, what the reply must look like), `generate` (a place in the queue,
//! replies that are watched), `error` (one type, written in the shape that the path's dialect has).
//! The shapes are those of the public documentation of OpenAI, llama.cpp's server, Anthropic and Ollama.
//!
//! Left out on purpose: TLS and HTTP/2 (a proxy's business), storing conversations, fetching what a request names.

#![forbid(unsafe_code)]

mod anthropic;
mod body;
mod embed;
mod error;
mod fields;
mod generate;
mod guard;
mod health;
mod ids;
mod infill;
mod llamacpp;
mod metrics;
mod ollama;
mod openai;
mod openapi;
mod options;
mod page;
mod params;
mod queue;
mod registry;
mod rerank;
mod router;
mod routes;
mod serve;
mod slots;
mod sse;
mod state;
mod time;

pub use error::ServeError;
pub use options::{Configure, Options};
pub use serve::Server;
