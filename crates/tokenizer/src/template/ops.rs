//! Python's operators on template values, paid for.
//!
//! The engine's own operators follow Python closely but let a string double without end, so
//! [`lower`](super::lower) routes every operator here. Wording of errors is CPython's.

use minijinja::value::{Tuple, ValueKind};
use minijinja::{Error, State, Value};

use super::args::Args;
use super::compare::{compare, contains, equal};
use super::error::{limit, operation, undefined};
use super::format::percent_format;
use super::limits::{Meter, meter};
use super::print::write_text;
use super::text::escape_html;
use super::value::{Number, int, is_list, items, type_name};

/// Applies the operator `symbol`. Arguments: left, right, and how the template spelled each
/// operand (a string or None), for the error if it is undefined.
pub(super) fn binary(
    symbol: &'static str,
    state: &mut State<'_, '_>,
    args: Args,
) -> Result<Value, Error> {
    let args = args.names(&["left", "right", "left_name", "right_name"])?;
    let (left, right) = (args.any(0)?, args.any(1)?);
    let meter = meter(state);
    // Undefined operands may be printed, compared for equality and searched for, nothing else.
    if !matches!(symbol, "~" | "==" | "!=" | "in") {
        for (value, name) in [(left, 2), (right, 3)] {
            if value.is_undefined() {
                return Err(undefined(
                    args.text(name)?.unwrap_or("an operand is undefined"),
                ));
            }
        }
    }
    match symbol {
        "~" => {
            let mut text = String::new();
            write_text(meter, left, &mut text)?;
            write_text(meter, right, &mut text)?;
            Ok(Value::from(text))
        }
        "+" => add(meter, left, right),
        "*" => multiply(meter, left, right),
        "%" if left.kind() == ValueKind::String => percent_format(meter, left, right),
        "-" | "/" | "//" | "%" | "**" => arithmetic(symbol, left, right),
        "==" => Ok(Value::from(equal(meter, left, right, 0)?)),
        "!=" => Ok(Value::from(!equal(meter, left, right, 0)?)),
        "in" => Ok(Value::from(contains(meter, right, left)?)),
        _ => {
            let ordering = compare(meter, symbol, left, right)?;
            Ok(Value::from(ordering.is_some_and(|ordering| match symbol {
                "<" => ordering.is_lt(),
                "<=" => ordering.is_le(),
                ">" => ordering.is_gt(),
                _ => ordering.is_ge(),
            })))
        }
    }
}

fn unsupported(symbol: &str, left: &Value, right: &Value) -> Error {
    operation(format!(
        "unsupported operand type(s) for {symbol}: '{}' and '{}'",
        type_name(left),
        type_name(right)
    ))
}

fn overflow(symbol: &str) -> Error {
    limit(format!("128 bits for the result of `{symbol}`"))
}

fn add(meter: &mut Meter, left: &Value, right: &Value) -> Result<Value, Error> {
    if let (Some(a), Some(b)) = (left.as_str(), right.as_str()) {
        meter.make(a.len() + b.len())?;
        // markupsafe: text joins HTML only after it was escaped.
        return Ok(match (left.is_safe(), right.is_safe()) {
            (false, false) => Value::from([a, b].concat()),
            (true, true) => Value::from_safe_string([a, b].concat()),
            (true, false) => Value::from_safe_string(a.to_owned() + &escape_html(meter, b)?),
            (false, true) => Value::from_safe_string(escape_html(meter, a)? + b),
        });
    }
    if is_list(left) && is_list(right) && left.is_tuple() == right.is_tuple() {
        let mut all = items(meter, left)?;
        all.append(&mut items(meter, right)?);
        return Ok(if left.is_tuple() {
            Value::from(Tuple::from(all))
        } else {
            Value::from(all)
        });
    }
    if Number::of(left).is_some() && Number::of(right).is_some() {
        return arithmetic("+", left, right);
    }
    let kind = type_name(left);
    if matches!(kind, "str" | "list" | "tuple") {
        let other = type_name(right);
        return Err(operation(format!(
            "can only concatenate {kind} (not \"{other}\") to {kind}"
        )));
    }
    Err(unsupported("+", left, right))
}

fn multiply(meter: &mut Meter, left: &Value, right: &Value) -> Result<Value, Error> {
    let (body, count) = match (Number::of(left), Number::of(right)) {
        (Some(_), Some(_)) => return arithmetic("*", left, right),
        (None, Some(Number::Int(count))) => (left, count),
        (Some(Number::Int(count)), None) => (right, count),
        _ => return Err(unsupported("*", left, right)),
    };
    let count = usize::try_from(count.max(0)).unwrap_or(usize::MAX);
    if let Some(text) = body.as_str() {
        meter.make(text.len().saturating_mul(count))?;
        return Ok(Value::from(text.repeat(count)));
    }
    if is_list(body) {
        let once = items(meter, body)?;
        meter.make_list(once.len().saturating_mul(count))?;
        let count = if once.is_empty() { 0 } else { count };
        let all: Vec<Value> = std::iter::repeat_n(once, count).flatten().collect();
        return Ok(if body.is_tuple() {
            Value::from(Tuple::from(all))
        } else {
            Value::from(all)
        });
    }
    Err(unsupported("*", left, right))
}

fn arithmetic(symbol: &str, left: &Value, right: &Value) -> Result<Value, Error> {
    let (Some(a), Some(b)) = (Number::of(left), Number::of(right)) else {
        return Err(unsupported(symbol, left, right));
    };
    if let (Number::Int(a), Number::Int(b)) = (a, b) {
        let zero = || operation("division by zero");
        let result = match symbol {
            "+" => a.checked_add(b),
            "-" => a.checked_sub(b),
            "*" => a.checked_mul(b),
            "//" if b == 0 => return Err(zero()),
            "//" => floor_divide(a, b).map(|(quotient, _)| quotient),
            "%" if b == 0 => return Err(zero()),
            "%" => floor_divide(a, b).map(|(_, remainder)| remainder),
            "**" if b >= 0 => u32::try_from(b).ok().and_then(|b| a.checked_pow(b)),
            "**" => return Ok(Value::from((a as f64).powf(b as f64))),
            _ if b == 0 => return Err(zero()),
            _ => return Ok(Value::from(a as f64 / b as f64)),
        };
        return result.map(int).ok_or_else(|| overflow(symbol));
    }
    let (a, b) = (a.as_f64(), b.as_f64());
    if b == 0.0 && matches!(symbol, "/" | "//" | "%") {
        return Err(operation("float division by zero"));
    }
    Ok(Value::from(match symbol {
        "+" => a + b,
        "-" => a - b,
        "*" => a * b,
        "/" => a / b,
        "//" => (a / b).floor(),
        "%" => {
            let remainder = a % b;
            if remainder != 0.0 && (remainder < 0.0) != (b < 0.0) {
                remainder + b
            } else {
                remainder
            }
        }
        _ => a.powf(b),
    }))
}

/// Quotient rounded down and the remainder with the divisor's sign; `b` is not 0.
fn floor_divide(a: i128, b: i128) -> Option<(i128, i128)> {
    let (quotient, remainder) = (a.checked_div(b)?, a.checked_rem(b)?);
    if remainder != 0 && (remainder < 0) != (b < 0) {
        return Some((quotient.checked_sub(1)?, remainder + b));
    }
    Some((quotient, remainder))
}
