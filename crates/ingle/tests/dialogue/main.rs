//! Calls of tools and reasoning: found in templates, in replies, and held to by grammars.

#![allow(missing_docs, reason = "tests")]

mod detect;
mod examples;
mod grammar;
mod pieces;
mod support;
mod templates;
