//! Numbers in schemas: only those that are exact in f64, because that is what they are enforced as.

use serde_json::Value;

use super::{expected, refused};
use crate::grammar::GrammarError;

/// 2^53 - 1: whole numbers up to it are exact.
const LARGEST: f64 = 9_007_199_254_740_991.0;
/// Digits behind the point.
const MAX_DIGITS: u32 = 9;

/// A bound of a range.
pub(super) fn bound(value: &Value, at: &str) -> Result<Value, GrammarError> {
    let number = value
        .as_f64()
        .ok_or_else(|| expected(at, "a number", value))?;
    check(number, at)?;
    Ok(value.clone())
}

/// Checks all numbers inside of a value that is to be written as it is.
pub(super) fn check_all(value: &Value, at: &str) -> Result<(), GrammarError> {
    match value {
        Value::Number(number) => check(number.as_f64().unwrap_or(f64::INFINITY), at),
        Value::Array(items) => items.iter().try_for_each(|item| check_all(item, at)),
        Value::Object(members) => members.values().try_for_each(|item| check_all(item, at)),
        Value::Null | Value::Bool(_) | Value::String(_) => Ok(()),
    }
}

fn check(number: f64, at: &str) -> Result<(), GrammarError> {
    let is_small = number != 0.0 && number.abs() < 0.1_f64.powi(MAX_DIGITS as i32);
    if number.abs() > LARGEST || is_small {
        return Err(refused(
            at,
            &format!(
                "expected 0 or a number from 1e-{MAX_DIGITS} to 2^53 - 1, either sign, found `{number}`"
            ),
        ));
    }
    Ok(())
}

/// All `multipleOf` of a schema. Where schemas are combined their least common multiple is taken, in 32 bits.
#[derive(Default)]
pub(super) struct Multiples {
    /// Whole numbers with digits behind the point, and where the last one was.
    found: Vec<(u64, u32)>,
    at: String,
}

impl Multiples {
    pub(super) fn add(&mut self, value: &Value, at: &str) -> Result<Value, GrammarError> {
        let wrong = || expected(at, "a number above 0, of at most 9 digits", value);
        let number = value
            .as_f64()
            .filter(|&number| number > 0.0)
            .ok_or_else(wrong)?;
        let mut scaled = number;
        let mut digits = 0;
        while scaled.fract() != 0.0 {
            scaled *= 10.0;
            digits += 1;
        }
        if scaled > 1e9 || digits > MAX_DIGITS {
            return Err(wrong());
        }
        let entry = (scaled as u64, digits);
        if !self.found.contains(&entry) {
            self.found.push(entry);
            at.clone_into(&mut self.at);
        }
        Ok(value.clone())
    }

    /// Refuses what could overflow.
    pub(super) fn check(&self) -> Result<(), GrammarError> {
        let most = self
            .found
            .iter()
            .map(|&(_, digits)| digits)
            .max()
            .unwrap_or(0);
        let product = self
            .found
            .iter()
            .try_fold(1_u64, |product, &(number, digits)| {
                let number = number.checked_mul(10_u64.pow(most - digits))?;
                product
                    .checked_mul(number)
                    .filter(|&p| p <= u64::from(u32::MAX))
            });
        if product.is_none() {
            return Err(refused(
                &self.at,
                "too many different values of `multipleOf`",
            ));
        }
        Ok(())
    }
}
