//! How a command ends when it does not succeed, and what the user is shown.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use crate::style::Style;

/// The end of a command that did not succeed. Texts may carry `hint:` lines of their own.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Help or version: goes to stdout, and is no failure.
    Help(String),
    /// The command line is wrong: exit code 2.
    Usage(String),
    /// Anything else: exit code 1.
    Failed(String),
    /// Ctrl-C: exit code 130, with a message if there is something to say.
    Interrupted(Option<String>),
    /// A panic of ours, which was announced already: exit code 1.
    Bug,
    /// Nobody reads stdout any more, as in `ingle list | head -1`: ends quietly.
    PipeClosed,
}

impl Failure {
    /// A failure with exit code 1.
    pub(crate) fn new(message: impl Display) -> Self {
        Self::Failed(message.to_string())
    }

    /// A failed file operation: `action` is `read` or `write`.
    pub(crate) fn file(action: &str, path: &Path, error: &io::Error) -> Self {
        Self::Failed(format!("cannot {action} `{}`: {error}", path.display()))
    }

    /// The same failure, known to be the user's wish.
    pub(crate) fn interrupted(self) -> Self {
        match self {
            Self::Failed(message) => Self::Interrupted(Some(message)),
            other => other,
        }
    }

    /// Shows the message and gives the exit code.
    pub(crate) fn report(self, style: &Style) -> ExitCode {
        let (message, code) = match self {
            Self::Help(text) => {
                // A reader that has gone away does not matter here.
                let _ = io::stdout().write_all(text.as_bytes());
                return ExitCode::SUCCESS;
            }
            Self::PipeClosed => return ExitCode::SUCCESS,
            Self::Bug => return ExitCode::FAILURE,
            Self::Interrupted(None) => return ExitCode::from(130),
            Self::Interrupted(Some(message)) => (message, 130),
            Self::Usage(message) => (message, 2),
            Self::Failed(message) => (message, 1),
        };
        let mut err = io::stderr();
        let _ = writeln!(err, "{}", error_text(&message, style));
        ExitCode::from(code)
    }
}

/// Has panics reported as what they are, bugs of ours, and without a backtrace.
pub(crate) fn announce_bugs(style: Style) {
    std::panic::set_hook(Box::new(move |panic| {
        let payload = panic.payload();
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text
            .or_else(|| payload.downcast_ref::<&str>().copied())
            .unwrap_or("panic");
        let place = panic
            .location()
            .map(|at| format!(" ({at})"))
            .unwrap_or_default();
        let message = format!(
            "this is a bug in ingle: {text}{place}\nhint: please report it, with what `ingle show` says of the model"
        );
        let _ = writeln!(io::stderr(), "{}", error_text(&message, &style));
    }));
}

/// `error: …` and its hints, coloured for stderr.
pub(crate) fn error_text(message: &str, style: &Style) -> String {
    let mut text = style.err_error("error:");
    for (i, line) in message.trim_end().lines().enumerate() {
        text.push(if i == 0 { ' ' } else { '\n' });
        match line.strip_prefix("hint:") {
            Some(rest) => {
                text += &style.err_hint("hint:");
                text += rest;
            }
            None => text += line,
        }
    }
    text
}

/// Failures of writing to stdout. Files are named with [`Failure::file`].
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::PipeClosed,
            _ => Self::Failed(error.to_string()),
        }
    }
}

impl From<ingle::Error> for Failure {
    fn from(error: ingle::Error) -> Self {
        Self::new(error)
    }
}

impl From<ingle::hub::Error> for Failure {
    fn from(error: ingle::hub::Error) -> Self {
        Self::new(error)
    }
}

impl From<ingle::TemplateError> for Failure {
    fn from(error: ingle::TemplateError) -> Self {
        Self::new(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_keep_their_own_line() {
        let text = error_text("no such thing\nhint: try another", &Style::plain());
        assert_eq!(text, "error: no such thing\nhint: try another");
    }
}
