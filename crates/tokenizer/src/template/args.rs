//! Arguments of filters, tests, methods and functions: positional ones, then named ones.

use minijinja::value::{Rest, ValueOrKwargs};
use minijinja::{Error, Value};

use super::error::operation;
use super::value::type_name;

/// What a call passes. For filters, tests and methods the first is the value they apply to.
#[derive(Debug, Default)]
pub(super) struct Args {
    positional: Vec<Value>,
    named: Vec<(Value, Value)>,
}

impl Args {
    /// Splits what the engine passes.
    pub(super) fn new(values: Rest<ValueOrKwargs>) -> Self {
        Self::from_values(values.0.into_iter().map(ValueOrKwargs::into_value))
    }

    /// Splits `values`, of which the last may be the engine's bundle of named arguments.
    pub(super) fn from_values(values: impl IntoIterator<Item = Value>) -> Self {
        let mut args = Self::default();
        for value in values {
            if value.is_kwargs() {
                let object = value.as_object().and_then(|object| object.try_iter_pairs());
                args.named.extend(object.into_iter().flatten());
            } else {
                args.positional.push(value);
            }
        }
        args
    }

    /// Fixes the parameters' names and their order.
    ///
    /// # Errors
    /// On more arguments than names, an unknown name, or a parameter given twice.
    pub(super) fn names(self, names: &[&str]) -> Result<Bound, Error> {
        if self.positional.len() > names.len() {
            return Err(operation(format!(
                "takes at most {} arguments, found {}",
                names.len(),
                self.positional.len()
            )));
        }
        let mut slots: Vec<Option<Value>> = self.positional.into_iter().map(Some).collect();
        slots.resize(names.len(), None);
        for (key, value) in self.named {
            let at = names.iter().position(|name| key.as_str() == Some(name));
            match at.map(|at| &mut slots[at]) {
                Some(slot @ None) => *slot = Some(value),
                Some(Some(_)) => {
                    return Err(operation(format!("argument `{key}` is given twice")));
                }
                None => return Err(operation(format!("there is no argument `{key}`"))),
            }
        }
        Ok(Bound { slots })
    }

    /// Positional and named arguments as they came.
    pub(super) fn into_parts(self) -> (Vec<Value>, Vec<(Value, Value)>) {
        (self.positional, self.named)
    }
}

/// Arguments by the position of their parameter.
#[derive(Debug)]
pub(super) struct Bound {
    slots: Vec<Option<Value>>,
}

impl Bound {
    /// The argument, if it was given and is defined.
    pub(super) fn get(&self, at: usize) -> Option<&Value> {
        self.slots
            .get(at)?
            .as_ref()
            .filter(|value| !value.is_undefined())
    }

    /// The first argument, defined or not.
    pub(super) fn first(&self) -> Result<&Value, Error> {
        self.any(0)
    }

    /// The argument, defined or not.
    pub(super) fn any(&self, at: usize) -> Result<&Value, Error> {
        let missing = || operation(format!("argument {} is missing", at + 1));
        self.slots
            .get(at)
            .and_then(Option::as_ref)
            .ok_or_else(missing)
    }

    /// A string, if given and not None.
    pub(super) fn text(&self, at: usize) -> Result<Option<&str>, Error> {
        match self.get(at).filter(|value| !value.is_none()) {
            None => Ok(None),
            Some(value) => value.as_str().map(Some).ok_or_else(|| {
                operation(format!(
                    "argument {} must be a string, not {}",
                    at + 1,
                    type_name(value)
                ))
            }),
        }
    }

    /// An integer, if given and not None.
    pub(super) fn int(&self, at: usize) -> Result<Option<i64>, Error> {
        match self.get(at).filter(|value| !value.is_none()) {
            None => Ok(None),
            Some(value) => i64::try_from(value.clone())
                .map(Some)
                .map_err(|_| operation(format!("argument {} must be an integer", at + 1))),
        }
    }

    /// Whether a flag was given and true.
    pub(super) fn flag(&self, at: usize, default: bool) -> bool {
        self.get(at).map_or(default, Value::is_true)
    }
}
