//! Calls as Python writes them, arguments by name: `f(a=1, b="x", c=[True, None])`.

use serde_json::{Map, Number, Value};

use super::{Arguments, Head, name};
use crate::dialogue::look::{Look, Stop};

const MAX_DEPTH: usize = 32;

pub(super) fn head(look: &mut Look<'_>, is_first: bool) -> Result<Head, Stop> {
    if is_first {
        look.expect("<|tool_call_start|>")?;
        look.blanks();
        look.expect("[")?;
    }
    look.blanks();
    let (name, _) = name(look, &["("])?;
    look.expect("(")?;
    let mut arguments = Map::new();
    loop {
        look.blanks();
        if look.take(")")? {
            break;
        }
        if !arguments.is_empty() {
            look.expect(",")?;
            look.blanks();
        }
        let (key, _) = super::name(look, &["="])?;
        look.expect("=")?;
        arguments.insert(key.to_owned(), value(look, 0)?);
    }
    Ok(Head {
        name: name.to_owned(),
        id: None,
        arguments: Arguments::Whole(Value::Object(arguments).to_string()),
    })
}

fn value(look: &mut Look<'_>, depth: usize) -> Result<Value, Stop> {
    if depth > MAX_DEPTH {
        return Err(Stop::Bad);
    }
    look.blanks();
    match look.peek()? {
        '"' | '\'' => text(look).map(Value::String),
        '[' => list(look, "]", depth),
        '(' => list(look, ")", depth),
        '{' => dict(look, depth),
        _ => word(look),
    }
}

fn list(look: &mut Look<'_>, end: &str, depth: usize) -> Result<Value, Stop> {
    look.at += 1;
    let mut items = Vec::new();
    loop {
        look.blanks();
        if look.take(end)? {
            return Ok(Value::Array(items));
        }
        if !items.is_empty() {
            look.expect(",")?;
            look.blanks();
            if look.take(end)? {
                return Ok(Value::Array(items));
            }
        }
        items.push(value(look, depth + 1)?);
    }
}

fn dict(look: &mut Look<'_>, depth: usize) -> Result<Value, Stop> {
    look.at += 1;
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
        let key = text(look)?;
        look.blanks();
        look.expect(":")?;
        members.insert(key, value(look, depth + 1)?);
    }
}

fn text(look: &mut Look<'_>) -> Result<String, Stop> {
    let quote = look.peek()?;
    if quote != '"' && quote != '\'' {
        return Err(Stop::Bad);
    }
    look.at += 1;
    let mut out = String::new();
    loop {
        let c = look.peek()?;
        look.at += c.len_utf8();
        match c {
            c if c == quote => return Ok(out),
            '\\' => {
                let c = look.peek()?;
                look.at += c.len_utf8();
                out.push(match c {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    'u' => {
                        let mut code = 0;
                        for _ in 0..4 {
                            let digit = look.peek()?.to_digit(16).ok_or(Stop::Bad)?;
                            look.at += 1;
                            code = code << 4 | digit;
                        }
                        char::from_u32(code).ok_or(Stop::Bad)?
                    }
                    c => c,
                });
            }
            c => out.push(c),
        }
    }
}

/// A number or a constant: up to what cannot belong to it.
fn word(look: &mut Look<'_>) -> Result<Value, Stop> {
    let mut word = String::new();
    loop {
        let c = look.peek()?;
        if !c.is_ascii_alphanumeric() && !matches!(c, '.' | '-' | '+' | '_') {
            break;
        }
        look.at += 1;
        word.push(c);
    }
    let float = || word.parse().ok().and_then(Number::from_f64);
    match word.as_str() {
        "True" | "true" => Ok(Value::Bool(true)),
        "False" | "false" => Ok(Value::Bool(false)),
        "None" | "null" => Ok(Value::Null),
        _ => {
            let number = word.parse::<i64>().ok().map(Number::from).or_else(float);
            number.map(Value::Number).ok_or(Stop::Bad)
        }
    }
}
