//! Rounds of a conversation whose answers may call tools.

use std::io::{self, Write};

use ingle::Message;
use ingle::dialogue::{Tool, ToolCall};

use crate::App;
use crate::answer::Answer;
use crate::cmd::run::Settings;
use crate::failure::Failure;
use crate::remote::Asked;
use crate::speaker::Speaker;

/// Tools that other programs have.
pub(crate) trait Tools {
    /// What there is.
    fn list(&self) -> &[Tool];

    /// Does what a call asks for, if the user lets it; what the model is told.
    ///
    /// # Errors
    /// Only what ends the conversation: a tool's own failure is told to the model.
    fn call(&self, app: &App, call: &ToolCall) -> Result<String, Failure>;
}

/// No tools.
pub(crate) struct NoTools;

impl Tools for NoTools {
    fn list(&self) -> &[Tool] {
        &[]
    }

    fn call(&self, _: &App, call: &ToolCall) -> Result<String, Failure> {
        Ok(format!("error: there is no tool `{}`", call.name))
    }
}

/// Answers that may call tools before the last, which has to do without.
pub(crate) const MAX_ROUNDS: usize = 8;

/// Answers a conversation, and calls what the model asks for in between. `turns` gets all that was said, but for the
/// last answer, which is returned.
///
/// # Errors
/// As for [`Speaker::answer`].
pub(crate) fn answer(
    app: &App,
    speaker: &Speaker,
    tools: &dyn Tools,
    turns: &mut Vec<Message>,
    settings: &Settings,
    seed: u64,
    on_piece: &mut dyn FnMut(&str) -> io::Result<()>,
) -> Result<Answer, Failure> {
    for round in 0.. {
        let offered = if round < MAX_ROUNDS {
            tools.list()
        } else {
            &[]
        };
        let asked = Asked::Chat(turns, offered);
        let answer = speaker.answer(app, &asked, settings, seed, on_piece)?;
        if answer.calls.is_empty() || answer.end.is_none() {
            return Ok(answer);
        }
        if !answer.text.is_empty() && !answer.text.ends_with('\n') {
            on_piece("\n")?;
        }
        turns.push(Message::calls(answer.text, answer.calls.clone()));
        for call in &answer.calls {
            let shown = format!(
                "[{} {}]",
                call.name,
                crate::text::shorten(&call.arguments.to_string(), 200)
            );
            let _ = writeln!(io::stderr(), "{}", app.style.err_dim(&shown));
            turns.push(Message::tool(call, tools.call(app, call)?));
        }
    }
    unreachable!("the last round has no tools")
}
