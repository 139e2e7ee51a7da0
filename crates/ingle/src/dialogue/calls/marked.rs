//! Gemma 4's calls: `call:NAME{key:<|"|>text<|"|>,other:[1,true]}`.

use serde_json::{Map, Value};

use super::{Arguments, Head, name};
use crate::dialogue::look::{Look, Stop};

const QUOTE: &str = "<|\"|>";
const MAX_DEPTH: usize = 32;

pub(super) fn head(look: &mut Look<'_>) -> Result<Head, Stop> {
    look.expect("<|tool_call>")?;
    look.blanks();
    look.expect("call:")?;
    let (name, _) = name(look, &["{"])?;
    let arguments = object(look, 0)?;
    Ok(Head {
        name: name.to_owned(),
        id: None,
        arguments: Arguments::Whole(arguments.to_string()),
    })
}

fn object(look: &mut Look<'_>, depth: usize) -> Result<Value, Stop> {
    if depth > MAX_DEPTH {
        return Err(Stop::Bad);
    }
    look.expect("{")?;
    let mut members = Map::new();
    loop {
        look.blanks();
        if look.take("}")? {
            return Ok(Value::Object(members));
        }
        if !members.is_empty() {
            look.expect(",")?;
            look.blanks();
        }
        let key = if look.take(QUOTE)? {
            text(look)?
        } else {
            name(look, &[":"])?.0.to_owned()
        };
        look.expect(":")?;
        members.insert(key, value(look, depth)?);
    }
}

fn value(look: &mut Look<'_>, depth: usize) -> Result<Value, Stop> {
    look.blanks();
    if look.take(QUOTE)? {
        return text(look).map(Value::String);
    }
    match look.peek()? {
        '{' => object(look, depth + 1),
        '[' if depth > MAX_DEPTH => Err(Stop::Bad),
        '[' => {
            look.at += 1;
            let mut items = Vec::new();
            loop {
                look.blanks();
                if look.take("]")? {
                    return Ok(Value::Array(items));
                }
                if !items.is_empty() {
                    look.expect(",")?;
                }
                items.push(value(look, depth + 1)?);
            }
        }
        _ => {
            let (word, _) = look.until(&[",", "}", "]"])?;
            serde_json::from_str(word.trim()).map_err(|_| Stop::Bad)
        }
    }
}

fn text(look: &mut Look<'_>) -> Result<String, Stop> {
    let (text, _) = look.until(&[QUOTE])?;
    look.expect(QUOTE)?;
    Ok(text.to_owned())
}
