//! What can go wrong with a chat template, and how an engine error becomes one of these.

use std::error::Error as _;
use std::fmt;

/// Why a template could not be read or rendered.
///
/// A refusal is the template's author speaking (`raise_exception`), so its text is shown as it is;
/// everything else names the line of the template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// The source is not a Jinja template.
    #[error("chat template, line {line}: {message}")]
    Syntax {
        /// Line of the source, counted from 1.
        line: usize,
        /// What was expected and what was found.
        message: String,
    },
    /// The template called `raise_exception`: it does not accept this conversation.
    #[error("{0}")]
    Refused(String),
    /// The template, or what it computes, is larger than [`Limits`](super::Limits) allow.
    #[error("chat template exceeds its limit of {limit}")]
    Limit {
        /// Which limit, with its value.
        limit: String,
    },
    /// A value that the template needs is missing from the input.
    #[error("chat template, line {line}: {message}")]
    Undefined {
        /// Line of the source, counted from 1; 0 if unknown.
        line: usize,
        /// Jinja's wording, e.g. `'dict object' has no attribute 'name'`.
        message: String,
    },
    /// An operation that Jinja would refuse as well, such as adding a number to a string.
    #[error("chat template, line {line}: {message}")]
    Operation {
        /// Line of the source, counted from 1; 0 if unknown.
        line: usize,
        /// What was tried, on which types.
        message: String,
    },
    /// The caller's input cannot be given to a template.
    #[error("template input `{field}`: expected {expected}, found {found}")]
    Input {
        /// Field of [`TemplateInput`](super::TemplateInput).
        field: &'static str,
        /// What the field must be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
}

/// Carried inside an engine error so that the cause survives the trip through the engine.
#[derive(Debug)]
pub(super) enum Cause {
    Refused(String),
    Limit(String),
    Undefined(String),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(text) | Self::Limit(text) | Self::Undefined(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Cause {}

/// Engine error for `raise_exception(message)`.
pub(super) fn refused(message: String) -> minijinja::Error {
    with_cause(Cause::Refused(message))
}

/// Engine error for a used-up limit; `limit` reads like "1000 steps".
pub(super) fn limit(limit: impl Into<String>) -> minijinja::Error {
    with_cause(Cause::Limit(limit.into()))
}

/// Engine error for the use of something undefined.
pub(super) fn undefined(message: impl Into<String>) -> minijinja::Error {
    with_cause(Cause::Undefined(message.into()))
}

/// Engine error for an operation that its operands do not allow (Python's `TypeError` and kin).
pub(super) fn operation(message: impl Into<String>) -> minijinja::Error {
    minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, message.into())
}

fn with_cause(cause: Cause) -> minijinja::Error {
    operation(cause.to_string()).with_source(cause)
}

impl TemplateError {
    /// Translates what the engine reported.
    pub(super) fn from_engine(error: &minijinja::Error) -> Self {
        use minijinja::ErrorKind as Kind;
        let line = error.line().unwrap_or(0);
        if let Some(cause) = find_cause(error) {
            return match cause {
                Cause::Refused(text) => Self::Refused(text.clone()),
                Cause::Limit(text) => Self::Limit {
                    limit: text.clone(),
                },
                Cause::Undefined(text) => Self::Undefined {
                    line,
                    message: text.clone(),
                },
            };
        }
        let detail = error.detail().unwrap_or_default();
        let message = match (error.kind(), detail) {
            (kind, "") => kind.to_string(),
            (
                Kind::InvalidOperation
                | Kind::SyntaxError
                | Kind::UndefinedError
                | Kind::UnknownMethod,
                text,
            ) => text.into(),
            (kind, text) => format!("{kind}: {text}"),
        };
        match error.kind() {
            Kind::OutOfFuel => Self::Limit {
                limit: "steps".into(),
            },
            Kind::InvalidOperation if detail.contains("recursion limit") => Self::Limit {
                limit: "recursion".into(),
            },
            Kind::SyntaxError if detail.contains("recursion limits") => Self::Limit {
                limit: "nesting".into(),
            },
            Kind::SyntaxError | Kind::BadEscape => Self::Syntax { line, message },
            Kind::UndefinedError => Self::Undefined { line, message },
            _ => Self::Operation { line, message },
        }
    }
}

fn find_cause(error: &minijinja::Error) -> Option<&Cause> {
    let mut next = error.source();
    while let Some(source) = next {
        if let Some(cause) = source.downcast_ref::<Cause>() {
            return Some(cause);
        }
        next = source.source();
    }
    None
}
