//! Grammars: what a reply must look like, enforced token by token.
//!
//! ```text
//! GrammarSpec ─schema│gbnf│lark: checked, rewritten► Lark ─llguidance► Grammar ─mask► sampler ─commit► …
//! ```
//!
//! The parser under it is [`llguidance`](https://github.com/guidance-ai/llguidance) (an Earley parser over
//! derivatives of regular expressions, walked along a trie of the vocabulary). What is ours: which JSON schemas
//! count as enforceable, llama.cpp's grammar language, bounds, and how tokens of any of our vocabularies
//! become a trie. Everything fails closed: a grammar that cannot be enforced is an error of
//! [`GrammarEngine::compile`], before the first token. Left out on purpose: remote `$ref`s, and tokens that
//! a grammar would take back after they were given out.

mod choice;
mod engine;
mod error;
mod gbnf;
mod lark;
mod limits;
mod recent;
mod schema;
mod state;
mod trie;

use serde_json::Value;

pub use engine::GrammarEngine;
pub use error::GrammarError;
pub use state::Grammar;

/// What a reply must look like, as the user gives it.
#[derive(Clone, Debug, PartialEq)]
pub enum GrammarSpec {
    /// JSON that this JSON schema accepts, with the schema's order of properties.
    JsonSchema(Value),
    /// Any JSON object.
    JsonObject,
    /// Text that this regular expression matches as a whole (syntax of the `regex` crate).
    Regex(String),
    /// A grammar in `llguidance`'s dialect of Lark; `%json {…}` embeds a JSON schema,
    /// `%token "M"` a control token, and `%until name TEXT "M"` leaves text free up to a mark (`lark.rs`).
    Lark(String),
    /// A grammar in llama.cpp's language; the rule `root` is the reply.
    Gbnf(String),
    /// One of these texts, exactly.
    Choice(Vec<String>),
}
