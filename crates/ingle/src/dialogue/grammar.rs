//! Tools as a grammar: what the model may write as a call, argument for argument.
//!
//! With [`ToolChoice::Auto`] text is free until a call begins; with [`ToolChoice::Required`] nothing but thoughts
//! comes before one. The grammar writes calls exactly as the template shows them to the model. Arguments follow
//! the tool's schema, and where that does not say otherwise they are only those it names.

mod formats;
mod marked;
mod values;

use engine::grammar::GrammarSpec;
use thiserror::Error;

use super::{CallFormat, Format, Tool};
use formats::Shape;

/// Most calls of a reply. Small models repeat one until something ends them.
pub const MAX_CALLS: usize = 16;

/// Whether the model calls a tool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ToolChoice {
    /// It does not.
    None,
    /// It decides.
    #[default]
    Auto,
    /// It calls one or more, whichever.
    Required,
    /// It calls this one.
    Named(String),
}

/// Why calls cannot be enforced.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ToolError {
    /// A call is wanted where there is nothing to call.
    #[error("a call is required, but there are no tools")]
    NoTools,
    /// No tool has this name.
    #[error("tool choice: no tool is named `{name}`, expected one of: {}", known.join(", "))]
    Unknown {
        /// The name.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// A name that no template can show to a model.
    #[error("tool `{name}`: expected a name of 1 to 64 letters, digits, `_`, `-` and `.`")]
    Name {
        /// The name.
        name: String,
    },
    /// Two tools have one name.
    #[error("two tools are named `{name}`")]
    Twice {
        /// The name.
        name: String,
    },
    /// Arguments are named, so their schema is that of an object.
    #[error("tool `{name}`: expected `parameters` to be a JSON schema of an object")]
    Parameters {
        /// The tool's name.
        name: String,
    },
    /// The template shows no way to call tools, or none that can be enforced.
    #[error("this model's chat template has no way of calling tools that can be enforced")]
    NoFormat,
}

/// The grammar of replies that call `tools` as `format` has it; none if there is nothing to enforce.
///
/// `prompt_tail` is the end of the prompt, as for [`ReplyParser::new`](super::ReplyParser::new). There are [`MAX_CALLS`]
/// calls at most, without `parallel` one.
///
/// # Errors
/// If a call is required that cannot be enforced, or a tool is malformed. What a tool's schema says beyond what
/// grammars enforce is an error when the grammar is compiled.
pub fn tool_grammar(
    format: &Format,
    tools: &[Tool],
    choice: &ToolChoice,
    parallel: bool,
    prompt_tail: &str,
) -> Result<Option<GrammarSpec>, ToolError> {
    check(tools)?;
    let must = matches!(choice, ToolChoice::Required | ToolChoice::Named(_));
    let wanted: Vec<&Tool> = match choice {
        ToolChoice::None => return Ok(None),
        ToolChoice::Named(name) => {
            let found = tools.iter().find(|tool| tool.name == *name);
            let unknown = || ToolError::Unknown {
                name: name.clone(),
                known: tools.iter().map(|tool| tool.name.clone()).collect(),
            };
            vec![found.ok_or_else(unknown)?]
        }
        ToolChoice::Auto | ToolChoice::Required => tools.iter().collect(),
    };
    if wanted.is_empty() {
        return if must {
            Err(ToolError::NoTools)
        } else {
            Ok(None)
        };
    }
    let shape = format.calls.and_then(|calls| Shape::new(calls, &wanted));
    let Some(shape) = shape else {
        return if must {
            Err(ToolError::NoFormat)
        } else {
            Ok(None)
        };
    };
    let lark = match (format.calls, must) {
        (Some(CallFormat::Harmony), _) => harmony(&shape, must, parallel),
        (Some(CallFormat::BareJson), false) => untriggered(&shape),
        (_, false) => triggered(&shape, parallel),
        (_, true) => required(format, &shape, parallel, prompt_tail),
    };
    Ok(Some(GrammarSpec::Lark(lark)))
}

/// Free text, or calls from their mark on.
fn triggered(shape: &Shape, parallel: bool) -> String {
    format!(
        "start: FREE? | trigger {}\n%until trigger FREE {}\n{}",
        calls(shape, parallel),
        quoted(shape.mark),
        shape.rules
    )
}

/// A call without a mark; text is what does not begin like one.
fn untriggered(shape: &Shape) -> String {
    format!(
        "start: FREE? | call\nFREE: /(?s:.+)/ & ~/\\s*\\{{\\s*\"name\"(?s:.*)/\n{}",
        shape.rules
    )
}

/// Calls, and before them thoughts.
fn required(format: &Format, shape: &Shape, parallel: bool, prompt_tail: &str) -> String {
    let mark = if shape.mark.is_empty() {
        String::new()
    } else {
        format!("%token {} ", quoted(shape.mark))
    };
    let calls = format!("{mark}{}", calls(shape, parallel));
    let Some(tags) = format.reasoning else {
        return format!("start: {calls}\n{}", shape.rules);
    };
    let thoughts = format!(
        "%until thoughts THOUGHTS {}\nBLANKS: /\\s{{1,4}}/",
        quoted(tags.close)
    );
    let start = if prompt_tail.trim_end().ends_with(tags.open) {
        format!("thoughts BLANKS? {calls}")
    } else {
        // The word behind Gemma's mark is text.
        let (mark, word) = tags
            .open
            .split_at(tags.open.find('>').map_or(0, |at| at + 1));
        let open = format!("%token {} {}", quoted(mark), quoted(word));
        format!("({open} thoughts BLANKS?)? {calls}")
    };
    format!("start: {start}\n{thoughts}\n{}", shape.rules)
}

fn calls(shape: &Shape, parallel: bool) -> String {
    // Without a mark a second call would be text to whoever reads it.
    let more = if parallel && !shape.mark.is_empty() {
        format!("({} call){{0,{}}}", shape.between, MAX_CALLS - 1)
    } else {
        String::new()
    };
    format!("{} call {more} {}", shape.before, shape.after)
}

/// Messages on channels: thoughts, a word to the reader, then the answer or a call, which ends the reply.
fn harmony(shape: &Shape, must: bool, _parallel: bool) -> String {
    let answer = if must { "" } else { " | answer" };
    format!(
        "start: thoughts* (call{answer})\n\
         thoughts: channel (\"analysis\" | \"commentary\") message TEXT? %token \"<|end|>\" %token \"<|start|>\" \"assistant\"\n\
         answer: channel \"final\" message TEXT?\n\
         channel: %token \"<|channel|>\"\nmessage: %token \"<|message|>\"\nTEXT: /(?s:.+)/\n{}",
        shape.rules
    )
}

fn check(tools: &[Tool]) -> Result<(), ToolError> {
    for (i, tool) in tools.iter().enumerate() {
        let name = || tool.name.clone();
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if !(1..=64).contains(&tool.name.len()) || !tool.name.chars().all(fits) {
            return Err(ToolError::Name { name: name() });
        }
        if tools[..i].iter().any(|other| other.name == tool.name) {
            return Err(ToolError::Twice { name: name() });
        }
        let kind = tool
            .parameters
            .get("type")
            .and_then(serde_json::Value::as_str);
        if !tool.parameters.is_object() || kind.is_some_and(|kind| kind != "object") {
            return Err(ToolError::Parameters { name: name() });
        }
    }
    Ok(())
}

/// `text` as a string of Lark, which has JSON's escapes.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
