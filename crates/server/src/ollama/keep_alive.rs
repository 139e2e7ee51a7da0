//! `keep_alive`: how long a model stays in memory after its last use.

use std::time::Duration;

use ingle::Keep;
use serde_json::Value;

use crate::error::{ApiError, Outcome};

/// What a request says: a number of seconds, or a duration as Go writes it (`1h30m`); less than 0 is for ever.
///
/// # Errors
/// If it is none of these.
pub(super) fn keep(value: Option<&Value>) -> Outcome<Option<Keep>> {
    let seconds = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => seconds(text.trim()),
        Some(_) => None,
    };
    let wrong = || {
        let message =
            "`keep_alive`: expected seconds or a duration (`5m`, `1h30m`), less than 0 for ever";
        ApiError::field("keep_alive", message)
    };
    let seconds = seconds
        .filter(|seconds| seconds.is_finite())
        .ok_or_else(wrong)?;
    Ok(Some(match Duration::try_from_secs_f64(seconds) {
        Ok(time) => Keep::For(time),
        Err(_) => Keep::Forever,
    }))
}

/// Units, those that begin like another one first.
const UNITS: [(&str, f64); 8] = [
    ("ns", 1e-9),
    ("us", 1e-6),
    ("µs", 1e-6),
    ("ms", 1e-3),
    ("s", 1.0),
    ("m", 60.0),
    ("h", 3600.0),
    ("d", 86_400.0),
];

fn seconds(text: &str) -> Option<f64> {
    if let Ok(plain) = text.parse() {
        return Some(plain);
    }
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text),
    };
    let mut sum = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        let (unit, factor) = UNITS
            .iter()
            .find(|(unit, _)| rest[end..].starts_with(unit))?;
        sum += number * factor;
        rest = &rest[end + unit.len()..];
    }
    (!text.is_empty()).then_some(sign * sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn durations_are_read_as_go_writes_them() {
        let read = |value: Value| keep(Some(&value)).ok().flatten();
        let lasts = |seconds: f64| Some(Keep::For(Duration::from_secs_f64(seconds)));
        assert_eq!(read(json!(0)), lasts(0.0));
        assert_eq!(read(json!(2.5)), lasts(2.5));
        assert_eq!(read(json!(-1)), Some(Keep::Forever));
        assert_eq!(read(json!("5m")), lasts(300.0));
        assert_eq!(read(json!("1h30m")), lasts(5400.0));
        assert_eq!(read(json!("1.5s")), lasts(1.5));
        assert_eq!(read(json!("250ms")), lasts(0.25));
        assert_eq!(read(json!("-1m")), Some(Keep::Forever));
        assert_eq!(read(json!("30")), lasts(30.0));
        assert_eq!(keep(None).ok(), Some(None));
        for wrong in [
            json!("soon"),
            json!(""),
            json!("m"),
            json!("5x"),
            json!([1]),
            json!("inf"),
            json!("NaN"),
        ] {
            assert!(keep(Some(&wrong)).is_err(), "{wrong}");
        }
    }
}
