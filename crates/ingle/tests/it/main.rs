//! The façade end to end: committed models, texts that other implementations published, a real model.

mod errors;
mod facade;
mod files;
mod smollm2;
mod stories;
