//! Reading prompts: line editing, history, and texts of several lines between `"""`.

use std::path::PathBuf;

use rustyline::config::{BellStyle, Config};
use rustyline::error::ReadlineError;
use rustyline::{DefaultEditor, Result as LineResult};

use crate::failure::Failure;

const PROMPT: &str = ">>> ";
const CONTINUATION: &str = "... ";
const QUOTES: &str = "\"\"\"";
/// Inputs that the history remembers.
const HISTORY: usize = 1000;

/// Reads prompts from the terminal.
pub(super) struct Editor {
    lines: DefaultEditor,
    history: Option<PathBuf>,
}

/// What came from the terminal.
pub(super) enum Input {
    /// A prompt or a command, not empty.
    Text(String),
    /// Ctrl-C, or nothing at all.
    Cleared,
    /// Ctrl-D.
    End,
}

impl Editor {
    /// With the history of earlier chats; that it cannot be read or kept is no reason not to chat.
    pub(super) fn new() -> Result<Self, Failure> {
        let config = Config::builder()
            .max_history_size(HISTORY)
            .and_then(|config| config.history_ignore_dups(true))
            .map(|config| {
                config
                    .history_ignore_space(true)
                    .bell_style(BellStyle::None)
                    .build()
            })
            .map_err(Failure::new)?;
        let mut lines = DefaultEditor::with_config(config).map_err(Failure::new)?;
        let history = history_file();
        if let Some(path) = &history {
            let _ = path.parent().map(std::fs::create_dir_all);
            let _ = lines.load_history(path);
        }
        Ok(Self { lines, history })
    }

    /// The next input.
    pub(super) fn read(&mut self) -> Result<Input, Failure> {
        let text = match self.read_text() {
            Ok(text) => text,
            Err(ReadlineError::Interrupted) => return Ok(Input::Cleared),
            Err(ReadlineError::Eof) => return Ok(Input::End),
            Err(error) => {
                return Err(Failure::new(format_args!(
                    "cannot read the terminal: {error}"
                )));
            }
        };
        if text.trim().is_empty() {
            return Ok(Input::Cleared);
        }
        Ok(Input::Text(text))
    }

    fn read_text(&mut self) -> LineResult<String> {
        let line = self.lines.readline(PROMPT)?;
        let Some(first) = line.trim_start().strip_prefix(QUOTES) else {
            self.remember(&line);
            return Ok(line);
        };
        let mut text = first.to_owned();
        while !is_closed(&text) {
            text.push('\n');
            text += &self.lines.readline(CONTINUATION)?;
        }
        self.remember(&format!("{QUOTES}{text}"));
        Ok(unquote(&text).to_owned())
    }

    fn remember(&mut self, text: &str) {
        if matches!(self.lines.add_history_entry(text), Ok(true))
            && let Some(path) = &self.history
        {
            let _ = self.lines.append_history(path);
        }
    }
}

/// Whether a text that began with quotes, which are not part of it, has its end.
fn is_closed(text: &str) -> bool {
    text.trim_end().ends_with(QUOTES)
}

fn unquote(text: &str) -> &str {
    let text = text.trim_end();
    let text = text.strip_suffix(QUOTES).unwrap_or(text);
    let text = text.strip_prefix('\n').unwrap_or(text);
    text.strip_suffix('\n').unwrap_or(text)
}

/// `ingle/history` where the system keeps what programs remember (XDG base directories).
fn history_file() -> Option<PathBuf> {
    let var = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let state = var("XDG_STATE_HOME").filter(|path| path.is_absolute());
    let home = || {
        let home = std::env::home_dir().filter(|path| path.is_absolute())?;
        Some(home.join(".local/state"))
    };
    let state = state.or_else(|| var("LOCALAPPDATA")).or_else(home)?;
    Some(state.join("ingle/history"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hold_several_lines() {
        assert!(!is_closed("\nfirst"));
        assert!(is_closed("\nfirst\nsecond\"\"\" "));
        assert!(is_closed("one line\"\"\""));
        assert_eq!(unquote("\nfirst\nsecond\n\"\"\""), "first\nsecond");
        assert_eq!(unquote("one line\"\"\""), "one line");
    }
}
