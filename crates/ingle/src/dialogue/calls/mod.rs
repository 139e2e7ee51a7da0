//! The parts of a call, format by format: what names the tool, the arguments, what follows them.
//!
//! All of them read from the front of what has come, answer [`Stop::More`] as long as more text could change the
//! answer, and so give the same for any way the text is cut into pieces.

mod marked;
mod named;
mod object;
mod python;
mod tagged;

use super::CallFormat;
use super::look::{Look, Stop};
use super::tools::Tool;

/// Longer names are none.
const MAX_NAME: usize = 200;

/// The front of a call, up to where its arguments begin.
pub(super) struct Head {
    pub(super) name: String,
    /// Where the model writes ids itself.
    pub(super) id: Option<String>,
    pub(super) arguments: Arguments,
}

pub(super) enum Arguments {
    /// An object of JSON comes next. Whether it is inside of another one that goes on after it.
    Json { inside: bool },
    /// They have been read.
    Whole(String),
    /// They come one by one, in tags.
    Tagged,
}

/// What follows a call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Another one, without a mark of its own.
    Call,
    /// Text.
    Text,
}

/// One argument in tags.
pub(super) enum Tagged {
    /// Its name and value, both JSON.
    One(String, String),
    End,
}

/// The front of a call at `look`. If `is_first`, that is at the format's mark.
pub(super) fn head(
    format: CallFormat,
    look: &mut Look<'_>,
    is_first: bool,
    tools: &[Tool],
) -> Result<Head, Stop> {
    match format {
        CallFormat::TaggedJson
        | CallFormat::BareJson
        | CallFormat::BracketList
        | CallFormat::MarkedList
        | CallFormat::ActionList => object::head(format, look, is_first, tools),
        CallFormat::BracketArgs
        | CallFormat::WideMarks
        | CallFormat::WideMarksCode
        | CallFormat::CountedIds => named::head(format, look, is_first, tools),
        CallFormat::TaggedXml | CallFormat::TaggedKeys => tagged::head(format, look),
        CallFormat::Pythonic => python::head(look, is_first),
        CallFormat::MarkedCall => marked::head(look),
        CallFormat::Harmony => Err(Stop::Bad),
    }
}

/// The next argument, for formats with [`Arguments::Tagged`].
pub(super) fn tagged(
    format: CallFormat,
    look: &mut Look<'_>,
    tool: Option<&Tool>,
) -> Result<Tagged, Stop> {
    tagged::argument(format, look, tool)
}

/// What comes after the arguments, which is taken unless it is text.
pub(super) fn tail(format: CallFormat, look: &mut Look<'_>, inside: bool) -> Result<Next, Stop> {
    if inside {
        object::rest(look)?;
    }
    match format {
        CallFormat::TaggedJson => {
            if !look.take_after_blanks("</tool_call>")? {
                if object::follows(look)? {
                    return Ok(Next::Call);
                }
                look.take_after_blanks("```")?;
            }
            Ok(Next::Text)
        }
        CallFormat::TaggedXml | CallFormat::TaggedKeys => {
            look.take_after_blanks("</tool_call>")?;
            Ok(Next::Text)
        }
        CallFormat::BareJson => {
            let mut ahead = *look;
            if ahead.take_after_blanks(";")? && ahead.take_after_blanks("{")? {
                look.take_after_blanks(";")?;
                Ok(Next::Call)
            } else {
                Ok(Next::Text)
            }
        }
        CallFormat::BracketArgs => {
            // Calls in a list, from models that were trained on both.
            if inside {
                list_tail(format, look)
            } else {
                Ok(Next::Text)
            }
        }
        CallFormat::BracketList
        | CallFormat::MarkedList
        | CallFormat::ActionList
        | CallFormat::Pythonic => list_tail(format, look),
        CallFormat::WideMarks | CallFormat::WideMarksCode | CallFormat::CountedIds => {
            named::tail(format, look)
        }
        CallFormat::MarkedCall => {
            look.take("<tool_call|>")?;
            Ok(Next::Text)
        }
        CallFormat::Harmony => Ok(Next::Text),
    }
}

fn list_tail(format: CallFormat, look: &mut Look<'_>) -> Result<Next, Stop> {
    if look.take_after_blanks(",")? {
        return Ok(Next::Call);
    }
    look.blanks();
    look.expect("]")?;
    match format {
        CallFormat::ActionList => look.take_after_blanks("```")?,
        CallFormat::Pythonic => look.take_after_blanks("<|tool_call_end|>")?,
        _ => false,
    };
    Ok(Next::Text)
}

/// Text up to one of `marks` if it can be a tool's name; and which mark. The mark is not taken.
fn name<'a>(look: &mut Look<'a>, marks: &[&str]) -> Result<(&'a str, usize), Stop> {
    let longest = marks.iter().map(|mark| mark.len()).max().unwrap_or(0);
    let length = look.rest().len();
    match look.until(marks) {
        Ok((name, which)) => {
            let name = name.trim();
            let fits = name.len() <= MAX_NAME && is_name(name);
            if fits {
                Ok((name, which))
            } else {
                Err(Stop::Bad)
            }
        }
        Err(Stop::More) if length > MAX_NAME + longest => Err(Stop::Bad),
        Err(stop) => Err(stop),
    }
}

fn is_name(text: &str) -> bool {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '/');
    !text.is_empty() && text.chars().all(fits)
}
