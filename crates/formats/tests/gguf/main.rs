//! The GGUF reader and writer from outside, in one test binary.

mod checklist;
mod golden;
mod metadata;
mod raw;
mod split;
mod write;
