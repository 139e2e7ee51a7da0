//! The façade end to end: committed models, texts that other implementations published, a real model.

mod draft;
mod errors;
mod facade;
mod files;
mod folders;
mod memory;
mod pool;
mod prefix;
mod quant_errors;
mod rerank;
#[allow(
    clippy::print_stdout,
    reason = "figures, for who asks with --nocapture"
)]
mod smollm2;
mod stories;
mod structured;
