//! The server from outside: a small model behind a real socket.

mod anthropic;
mod budgets;
mod embeddings;
mod hub;
mod llamacpp;
mod metrics;
mod ollama;
mod openai;
mod openapi;
mod page;
mod prompts;
mod rerank;
mod responses;
mod support;
