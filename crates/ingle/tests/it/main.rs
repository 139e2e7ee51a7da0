//! The façade end to end: committed models, texts that other implementations published, a real model.

mod errors;
mod facade;
mod files;
#[allow(
    clippy::print_stdout,
    reason = "figures, for who asks with --nocapture"
)]
mod memory;
mod smollm2;
mod stories;
