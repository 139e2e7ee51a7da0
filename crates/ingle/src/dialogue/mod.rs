//! What models write beside plain answers: calls of tools, and reasoning.
//!
//! ```text
//! chat template ─detect► Format ─┬─ ReplyParser: text, piece by piece ► Delta
//!                                └─ tool_grammar: tools ► GrammarSpec
//! ```
//!
//! A model calls tools the way its chat template shows it, and there are a dozen ways. [`Format::detect`] reads
//! off a template which; [`ReplyParser`] takes the text apart while it is written; [`tool_grammar`] holds the
//! model to the tools' own schemas. Formats follow the templates themselves (`golden/templates`) and the models'
//! cards; llama.cpp's `common/chat.cpp` is where others keep theirs.

mod calls;
mod format;
mod grammar;
mod harmony;
mod ids;
mod json;
mod look;
mod out;
mod parser;
mod tools;
mod typed;

pub use format::{CallFormat, Format, Reasoning};
pub use grammar::{MAX_CALLS, ToolChoice, ToolError, tool_grammar};
pub use parser::ReplyParser;
pub use tools::{Tool, ToolCall};

/// A piece of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delta {
    /// Text for the reader.
    Content(String),
    /// What the model thinks before it answers.
    Reasoning(String),
    /// A call begins.
    ToolCallStart {
        /// Which call of this reply, from 0.
        index: usize,
        /// Its id, in the form that the template wants.
        id: String,
        /// The tool.
        name: String,
    },
    /// More of a call's arguments.
    ToolCallArguments {
        /// Which call.
        index: usize,
        /// A piece of a JSON object; all of them together are one.
        json_fragment: String,
    },
    /// A call is complete; or it broke off, and its arguments are not whole JSON.
    ToolCallEnd {
        /// Which call.
        index: usize,
    },
}
