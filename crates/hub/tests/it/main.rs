//! The crate from outside, against a local server that speaks the hub's protocol.
//!
//! Nothing here leaves this machine: servers listen on loopback, caches are temporary folders, and
//! settings are passed as values, never through the environment.

mod access;
mod cache;
mod download;
mod kill;
mod package;
mod server;
mod support;
mod url;
