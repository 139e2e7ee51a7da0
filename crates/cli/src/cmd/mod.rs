//! One file per command: its arguments, and what it does.

pub(crate) mod batch;
pub(crate) mod bench;
pub(crate) mod list;
pub(crate) mod mcp;
pub(crate) mod perplexity;
pub(crate) mod ps;
pub(crate) mod pull;
pub(crate) mod rm;
pub(crate) mod run;
pub(crate) mod serve;
pub(crate) mod show;
pub(crate) mod stop;
pub(crate) mod template;
pub(crate) mod tokenize;
