//! The built program as its users see it: arguments in, text, exit code and files out.

mod batch;
mod bench;
mod folders;
mod list;
mod mcp;
mod memory;
#[cfg(unix)]
mod repl;
mod run;
mod serve;
mod show;
mod support;
mod template;
mod tokenize;
mod usage;
