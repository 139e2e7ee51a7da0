//! The Model Context Protocol: tools that other programs have, for our models; our models, as tools for others.
//!
//! As a client ([`Clients`]) it starts programs and speaks with them over their pipes, or calls servers by HTTP, as a
//! [`Config`] says, whose form is the usual one (`mcpServers`). What comes from them is a stranger's: every wait and
//! every result has a bound ([`Limits`]), and what goes wrong with a call is told to the model. As a server
//! ([`serve_stdio`]) it offers `chat`, `complete` and `embed`.
//!
//! The protocol is that of <https://modelcontextprotocol.io>, as the crate `rmcp` has it. Left out on purpose:
//! prompts, resources, sampling, OAuth, the older transport by server-sent events, tools that change while we run.

#![forbid(unsafe_code)]

mod clients;
mod config;
mod error;
mod http;
mod names;
mod results;
mod serve;

pub use clients::{Clients, Limits, Tool};
pub use config::{Config, Server};
pub use error::{CallError, Error};
pub use serve::serve_stdio;
