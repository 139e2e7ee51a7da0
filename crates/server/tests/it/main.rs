//! The server from outside: a small model behind a real socket.

mod openai;
mod support;
