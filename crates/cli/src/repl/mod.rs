//! The chat in the terminal.
//!
//! Answers go to stdout; everything the chat says about itself goes to stderr. Ctrl-C ends an answer, at
//! the prompt it clears the line; Ctrl-D leaves.

mod command;
mod conversation;
mod editor;
mod set;

use std::io::{self, Write};
use std::path::Path;

use self::command::{Command, HELP};
use self::conversation::Conversation;
use self::editor::{Editor, Input};
use crate::App;
use crate::answer::Answer;
use crate::cmd::run::{Settings, report};
use crate::failure::{Failure, error_text};
use crate::remote::Asked;
use crate::sampling::random_seed;
use crate::speaker::Speaker;
use crate::tools::{self, Tools};

struct Repl<'a> {
    app: &'a App,
    speaker: &'a Speaker,
    tools: &'a dyn Tools,
    settings: Settings,
    talk: Conversation,
    /// How often the last question was answered anew; a fixed seed moves on by it.
    retries: u64,
}

/// Chats until the user leaves.
///
/// # Errors
/// If the terminal or stdout fails. What goes wrong with one answer or command is shown, and the chat goes on.
pub(crate) fn run(
    app: &App,
    speaker: &Speaker,
    tools: &dyn Tools,
    mut settings: Settings,
) -> Result<(), Failure> {
    let talk = Conversation::new(speaker.name().to_owned(), settings.system.take());
    let mut repl = Repl {
        app,
        speaker,
        tools,
        settings,
        talk,
        retries: 0,
    };
    repl.greet();
    let mut editor = Editor::new()?;
    // From here on Ctrl-C ends answers and lines, never the program.
    let _caught = app.interrupt.catch();
    loop {
        app.interrupt.take();
        let text = match editor.read() {
            Err(_) if app.interrupt.take() => continue,
            input => input?,
        };
        let text = match text {
            Input::Text(text) => text,
            Input::Cleared => continue,
            Input::End => return Ok(()),
        };
        let outcome = match Command::parse(&text) {
            None => repl.ask(&text),
            Some(Ok(Command::Exit)) => return Ok(()),
            Some(Ok(command)) => repl.execute(command),
            Some(Err(message)) => Err(Failure::Failed(message)),
        };
        match outcome {
            Ok(()) => {}
            Err(Failure::Failed(message) | Failure::Usage(message)) => {
                let _ = writeln!(io::stderr(), "{}", error_text(&message, &app.style));
            }
            Err(fatal) => return Err(fatal),
        }
    }
}

impl Repl<'_> {
    fn greet(&self) {
        let ctx = self.speaker.ctx();
        let ctx = ctx.map_or(String::new(), |ctx| format!(" · context {ctx} tokens"));
        let tools = match self.tools.list().len() {
            0 => String::new(),
            num => format!(" · {num} tools"),
        };
        self.say(&format!(
            "{}{ctx}{tools} · /help explains",
            self.speaker.name()
        ));
        if self.settings.raw {
            self.say("without a chat template: each prompt is continued on its own");
        }
    }

    /// A remark of the chat itself.
    fn say(&self, text: &str) {
        let _ = writeln!(io::stderr(), "{}", self.app.style.err_dim(text));
    }

    /// Asks a new question.
    fn ask(&mut self, text: &str) -> Result<(), Failure> {
        self.retries = 0;
        self.talk.push_question(text);
        let outcome = self.answer();
        if outcome.is_err() {
            // The question led nowhere: as if it had not been asked.
            self.talk.drop_question();
        }
        outcome
    }

    /// Answers the last question. An interrupted answer stays in the conversation as far as it came.
    fn answer(&mut self) -> Result<(), Failure> {
        let seed = match self.settings.seed {
            Some(seed) => seed.wrapping_add(self.retries),
            None => random_seed(),
        };
        let mut out = io::stdout();
        let mut print = |piece: &str| out.write_all(piece.as_bytes()).and_then(|()| out.flush());
        let (speaker, settings) = (self.speaker, &self.settings);
        let answer = if settings.raw {
            let question = self.talk.question().unwrap_or_default();
            speaker.answer(self.app, &Asked::Text(question), settings, seed, &mut print)?
        } else {
            let mut turns = self.talk.messages();
            let num_known = turns.len();
            let answer = tools::answer(
                self.app, speaker, self.tools, &mut turns, settings, seed, &mut print,
            )?;
            self.talk.extend(turns.drain(num_known..));
            answer
        };
        let Answer { text, end, .. } = &answer;
        if end.is_none() {
            self.app.interrupt.take();
        }
        if !text.ends_with('\n') {
            writeln!(out)?;
        }
        if end.is_none() {
            self.say("(stopped)");
        }
        if self.settings.verbose {
            report(self.app, self.speaker, &answer, None);
        }
        self.talk.push_answer(&answer.text);
        Ok(())
    }

    fn execute(&mut self, command: Command) -> Result<(), Failure> {
        match command {
            Command::Help => self.say(HELP),
            Command::Clear => {
                self.talk.clear();
                self.say("the conversation is forgotten");
            }
            Command::System(None) => match self.talk.system() {
                Some(system) => self.say(system),
                None => self.say("no system message"),
            },
            Command::System(Some(text)) if self.settings.raw => {
                return Err(Failure::Failed(format!(
                    "`{text}` would be ignored: without a chat template there is no system message"
                )));
            }
            Command::System(Some(text)) => {
                let text = Some(text).filter(|text| text != "none");
                self.say(if text.is_some() {
                    "system message set"
                } else {
                    "no system message any more"
                });
                self.talk.set_system(text);
            }
            Command::Set(None) => self.say(set::show_all(&self.settings).trim_end()),
            Command::Set(Some((name, value))) => {
                let shown = set::set(&mut self.settings, &name, &value).map_err(Failure::Failed)?;
                self.say(&shown);
            }
            Command::Regen => {
                if !self.talk.drop_answer() {
                    return Err(Failure::new("there is nothing to answer anew yet"));
                }
                self.retries += 1;
                return self.answer();
            }
            Command::Save(path) => {
                self.talk.save(Path::new(&path))?;
                self.say(&format!("saved to `{path}`"));
            }
            Command::Load(path) => {
                self.talk.load(Path::new(&path))?;
                let count = self.talk.messages().len();
                self.say(&format!("{count} messages loaded from `{path}`"));
            }
            Command::Exit => unreachable!("the loop ends on it"),
        }
        Ok(())
    }
}
