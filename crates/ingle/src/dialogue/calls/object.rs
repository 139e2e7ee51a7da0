//! Calls that are an object with a name and arguments, alone or in a list.

use serde_json::{Map, Value};

use super::{Arguments, Head, is_name};
use crate::dialogue::CallFormat;
use crate::dialogue::look::{Look, Stop};
use crate::dialogue::tools::Tool;

pub(super) fn head(
    format: CallFormat,
    look: &mut Look<'_>,
    is_first: bool,
    tools: &[Tool],
) -> Result<Head, Stop> {
    let is_known = |name: &str| tools.iter().any(|tool| tool.name == name);
    if is_first {
        match format {
            CallFormat::TaggedJson => {
                if !look.take("<tool_call>")? {
                    return unmarked(look, tools);
                }
            }
            CallFormat::BracketList => return brackets(look, tools),
            CallFormat::MarkedList => {
                look.expect("<|tool_call|>")?;
                look.blanks();
                look.expect("[")?;
            }
            CallFormat::ActionList => {
                look.expect("Action:")?;
                look.blanks();
                look.expect("```json")?;
                look.blanks();
                look.expect("[")?;
            }
            _ => {
                look.take("<|python_tag|>")?;
            }
        }
    }
    let head = object(look)?;
    // Without a mark any JSON would be a call; with one the caller decides about unknown tools.
    let is_unmarked =
        format == CallFormat::BareJson || format == CallFormat::TaggedJson && !is_first;
    if is_unmarked && !is_known(&head.name) {
        return Err(Stop::Bad);
    }
    Ok(head)
}

/// A call without its mark, alone or in a block of code: Qwen2.5-Coder writes most of its calls so. Only a tool's name
/// with arguments after it is one, since any other JSON is an answer.
fn unmarked(look: &mut Look<'_>, tools: &[Tool]) -> Result<Head, Stop> {
    if look.take("```")? {
        look.take("json")?;
        look.blanks();
    }
    let name = in_order(look)?.ok_or(Stop::Bad)?;
    if !tools.iter().any(|tool| tool.name == name) {
        return Err(Stop::Bad);
    }
    Ok(Head {
        name,
        id: None,
        arguments: Arguments::Json { inside: true },
    })
}

/// Whether another call comes next that has no mark either. Nothing is taken.
pub(super) fn follows(look: &Look<'_>) -> Result<bool, Stop> {
    let mut ahead = *look;
    ahead.blanks();
    match in_order(&mut ahead) {
        Err(Stop::More) => Err(Stop::More),
        found => Ok(matches!(found, Ok(Some(_)))),
    }
}

/// Either of Mistral's two ways: some models use the one that their template does not show.
fn brackets(look: &mut Look<'_>, tools: &[Tool]) -> Result<Head, Stop> {
    let mut ahead = *look;
    ahead.expect("[TOOL_CALLS]")?;
    ahead.blanks();
    if ahead.take("[")? {
        *look = ahead;
        return object(look);
    }
    super::named::head(CallFormat::BracketArgs, look, true, tools)
}

/// An object with a name and arguments. If the name comes first and the arguments second, the latter need not
/// have been written yet.
pub(super) fn object(look: &mut Look<'_>) -> Result<Head, Stop> {
    look.blanks();
    let mut ahead = *look;
    match in_order(&mut ahead) {
        Ok(Some(name)) => {
            *look = ahead;
            Ok(Head {
                name,
                id: None,
                arguments: Arguments::Json { inside: true },
            })
        }
        Ok(None) => {
            let value = serde_json::from_str(look.value()?).map_err(|_| Stop::Bad)?;
            whole(&value).ok_or(Stop::Bad)
        }
        Err(stop) => Err(stop),
    }
}

/// `{"name": "N", "arguments": ` with `{` to follow; none if the object is another.
fn in_order(look: &mut Look<'_>) -> Result<Option<String>, Stop> {
    look.expect("{")?;
    look.blanks();
    let key = look.string()?;
    if key != "name" && key != "tool_name" {
        return Ok(None);
    }
    look.blanks();
    look.expect(":")?;
    look.blanks();
    let name = look.string()?;
    if !is_name(&name) {
        return Err(Stop::Bad);
    }
    look.blanks();
    if !look.take(",")? {
        return Ok(None);
    }
    look.blanks();
    if !matches!(look.string()?.as_str(), "arguments" | "parameters") {
        return Ok(None);
    }
    look.blanks();
    look.expect(":")?;
    look.blanks();
    Ok((look.peek()? == '{').then_some(name))
}

/// A call out of an object that has been read.
fn whole(value: &Value) -> Option<Head> {
    let call = value
        .get("function")
        .filter(|inner| inner.is_object())
        .unwrap_or(value);
    let name = ["name", "tool_name", "function"]
        .iter()
        .find_map(|key| call.get(key)?.as_str())?;
    let arguments = match ["arguments", "parameters"]
        .iter()
        .find_map(|key| call.get(key))
    {
        None | Some(Value::Null) => Value::Object(Map::new()),
        Some(Value::String(text)) => serde_json::from_str(text).ok()?,
        Some(other) => other.clone(),
    };
    (is_name(name) && arguments.is_object()).then(|| Head {
        name: name.to_owned(),
        id: None,
        arguments: Arguments::Whole(arguments.to_string()),
    })
}

/// What is left of the object after its arguments: perhaps an id, and the bracket.
pub(super) fn rest(look: &mut Look<'_>) -> Result<(), Stop> {
    loop {
        look.blanks();
        match look.peek()? {
            '}' => {
                look.at += 1;
                return Ok(());
            }
            ',' => look.at += 1,
            _ => return Err(Stop::Bad),
        }
        look.blanks();
        look.string()?;
        look.blanks();
        look.expect(":")?;
        look.blanks();
        look.value()?;
    }
}
