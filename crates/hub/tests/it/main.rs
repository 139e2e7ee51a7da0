//! The crate from outside, against a local server that speaks the hub's protocol.
//!
//! Nothing here leaves this machine: servers listen on loopback, caches are temporary folders, and
//! settings are passed as values, never through the environment.

mod access;
#[cfg(unix)]
mod cache;
mod download;
#[cfg(unix)]
mod kill;
#[cfg(unix)]
mod package;
mod server;
mod support;
mod url;
