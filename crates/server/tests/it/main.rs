//! The server from outside: a small model behind a real socket.

mod anthropic;
mod ollama;
mod openai;
mod page;
mod support;
