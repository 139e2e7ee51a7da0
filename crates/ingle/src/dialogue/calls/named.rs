//! Calls with a name between marks and the arguments as JSON after it.

use super::{Arguments, Head, Next, name, object};
use crate::dialogue::CallFormat;
use crate::dialogue::look::{Look, Stop};
use crate::dialogue::tools::Tool;

pub(super) fn head(
    format: CallFormat,
    look: &mut Look<'_>,
    is_first: bool,
    tools: &[Tool],
) -> Result<Head, Stop> {
    let (name, id) = match format {
        CallFormat::BracketArgs => return brackets(look, is_first, tools),
        CallFormat::CountedIds => counted(look, is_first)?,
        _ => (wide(look, is_first)?, None),
    };
    look.blanks();
    if look.peek()? != '{' {
        return Err(Stop::Bad);
    }
    Ok(Head {
        name,
        id,
        arguments: Arguments::Json { inside: false },
    })
}

/// `[TOOL_CALLS]NAME[CALL_ID]ID[ARGS]`; the id is not always there.
fn brackets(look: &mut Look<'_>, is_first: bool, _: &[Tool]) -> Result<Head, Stop> {
    let mut ahead = *look;
    if is_first {
        ahead.expect("[TOOL_CALLS]")?;
        let mut inner = ahead;
        inner.blanks();
        if inner.take("[")? {
            *look = inner;
            return object::object(look);
        }
    } else {
        return object::object(look);
    }
    let (name, which) = name(&mut ahead, &["[CALL_ID]", "[ARGS]"])?;
    let mut id = None;
    if which == 0 {
        ahead.expect("[CALL_ID]")?;
        id = Some(super::name(&mut ahead, &["[ARGS]"])?.0.to_owned());
    }
    ahead.expect("[ARGS]")?;
    ahead.blanks();
    if ahead.peek()? != '{' {
        return Err(Stop::Bad);
    }
    *look = ahead;
    Ok(Head {
        name: name.to_owned(),
        id,
        arguments: Arguments::Json { inside: false },
    })
}

/// `<｜tool▁call▁begin｜>NAME<｜tool▁sep｜>`, or `…function<｜tool▁sep｜>NAME` and a code block.
fn wide(look: &mut Look<'_>, is_first: bool) -> Result<String, Stop> {
    if is_first {
        look.expect("<｜tool▁calls▁begin｜>")?;
    }
    look.blanks();
    look.expect("<｜tool▁call▁begin｜>")?;
    let (first, _) = name(look, &["<｜tool▁sep｜>"])?;
    look.expect("<｜tool▁sep｜>")?;
    look.blanks();
    if first != "function" || look.peek()? == '{' {
        return Ok(first.to_owned());
    }
    let (name, _) = name(look, &["\n"])?;
    look.blanks();
    look.expect("```json")?;
    Ok(name.to_owned())
}

/// `<|tool_call_begin|>functions.NAME:INDEX<|tool_call_argument_begin|>`.
fn counted(look: &mut Look<'_>, is_first: bool) -> Result<(String, Option<String>), Stop> {
    if is_first {
        look.expect("<|tool_calls_section_begin|>")?;
    }
    look.blanks();
    look.expect("<|tool_call_begin|>")?;
    let (id, _) = name(look, &["<|tool_call_argument_begin|>"])?;
    look.expect("<|tool_call_argument_begin|>")?;
    let name = id.strip_prefix("functions.").unwrap_or(id);
    let name = name.rsplit_once(':').map_or(name, |(name, _)| name);
    Ok((name.to_owned(), Some(id.to_owned())))
}

/// The end of a call, and of all of them unless another begins.
pub(super) fn tail(format: CallFormat, look: &mut Look<'_>) -> Result<Next, Stop> {
    let (end, begin, all) = match format {
        CallFormat::CountedIds => (
            "<|tool_call_end|>",
            "<|tool_call_begin|>",
            "<|tool_calls_section_end|>",
        ),
        _ => (
            "<｜tool▁call▁end｜>",
            "<｜tool▁call▁begin｜>",
            "<｜tool▁calls▁end｜>",
        ),
    };
    look.take_after_blanks("```")?;
    look.take_after_blanks(end)?;
    let mut ahead = *look;
    if ahead.take_after_blanks(begin)? {
        return Ok(Next::Call);
    }
    look.take_after_blanks(all)?;
    Ok(Next::Text)
}
