//! llama.cpp's grammar language, GBNF, as Lark.
//!
//! ```text
//! root  ::= "[" (item ("," ws item)*)? "]"    # a rule; `root` is the reply
//! item  ::= [a-z]{1,8} | "\"" [^"\\\x00-\x1F]* "\""
//! ws    ::= " "?
//! ```
//!
//! The language is that of llama.cpp's `grammars/README.md` and `src/llama-grammar.cpp`, with its escapes
//! (`\n \r \t \\ \" \[ \] \xHH \uHHHH \UHHHHHHHH`), and like there left recursion is an error. Left out: tokens
//! by name or number (`<think>`, `<[17]>`), because they mean something else for each model.
//!
//! Every character is a token of its own in the Lark grammar, so that the parser decides where one thing ends
//! and another begins, as llama.cpp does; a lexer would take the longest match. Where that comes to the same, loops
//! over a class of characters are left to the lexer ([`runs`]), which is a hundred times as fast. Grammars without recursion
//! are one regular expression, which comes to the same and is faster.

mod chars;
mod check;
mod read;
mod runs;
mod scan;
mod write;

use super::{GrammarError, limits};

/// Rules of one grammar, by position; names are for messages only.
struct Rules {
    rules: Vec<Rule>,
    root: usize,
}

struct Rule {
    name: String,
    /// Where it is defined: line and column.
    place: Place,
    body: Alternatives,
}

/// Line and column, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    line: usize,
    column: usize,
}

/// Any of several sequences.
type Alternatives = Vec<Vec<Item>>;

#[derive(Clone, Debug, PartialEq)]
enum Item {
    Text(String),
    Class {
        is_negated: bool,
        /// First and last of each, included.
        ranges: Vec<(char, char)>,
    },
    /// One or more characters of a class, as many as come: see [`runs`].
    Run {
        is_negated: bool,
        ranges: Vec<(char, char)>,
    },
    Any,
    Rule(usize),
    Group(Alternatives),
    Repeat {
        item: Box<Self>,
        least: u32,
        most: Option<u32>,
    },
}

/// `text` as a Lark grammar.
///
/// # Errors
/// If it does not parse, a rule is missing, defined twice or left-recursive; with line and column.
pub(super) fn to_lark(text: &str) -> Result<String, GrammarError> {
    limits::check("bytes", limits::MAX_TEXT, text.len())?;
    let mut rules = read::read(text)?;
    let is_recursive = check::check(&rules)?;
    if is_recursive {
        runs::find(&mut rules);
    }
    Ok(write::lark(&rules, is_recursive))
}

fn wrong(place: Place, why: impl Into<String>) -> GrammarError {
    GrammarError::Gbnf {
        line: place.line,
        column: place.column,
        why: why.into(),
    }
}
