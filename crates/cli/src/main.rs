//! The `ingle` program: arguments in, text out. Everything it can do is in the `ingle` crate.
//!
//! stdout is data and stderr is logs. Exit codes: 0, 1 for failures, 2 for wrong usage, 130 after
//! Ctrl-C. One file per command in [`cmd`]; the chat in the terminal is [`repl`].

#![forbid(unsafe_code)]

mod answer;
mod args;
mod choose;
mod cmd;
mod failure;
mod grammar;
mod interrupt;
mod llamacpp;
mod load;
mod mcp;
mod progress;
mod remote;
mod repl;
mod sampling;
mod speaker;
mod style;
mod text;
mod tools;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use crate::args::{Cli, Command};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::style::Style;

/// What every command is given.
pub(crate) struct App {
    /// Colours, or none.
    pub(crate) style: Style,
    /// Ctrl-C.
    pub(crate) interrupt: Interrupt,
}

fn main() -> ExitCode {
    let style = Style::from_env();
    failure::announce_bugs(style);
    let cli = match Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(failure) => return failure.report(&style),
    };
    let interrupt = match Interrupt::install() {
        Ok(interrupt) => interrupt,
        Err(error) => return Failure::from(error).report(&style),
    };
    let app = App { style, interrupt };
    // The hook has said what there is to say of a panic; what is left is the exit code.
    let outcome = catch_unwind(AssertUnwindSafe(|| dispatch(&app, cli.command)));
    match outcome.unwrap_or(Err(Failure::Bug)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if app.interrupt.caught() => failure.interrupted().report(&app.style),
        Err(failure) => failure.report(&app.style),
    }
}

fn dispatch(app: &App, command: Command) -> Result<(), Failure> {
    match command {
        Command::Run(args) => cmd::run::run(app, *args),
        Command::Batch(args) => cmd::batch::run(app, &args),
        Command::Serve(args) => cmd::serve::run(app, &args),
        Command::Mcp(args) => cmd::mcp::run(app, args),
        Command::Ps(args) => cmd::ps::run(app, &args),
        Command::Stop(args) => cmd::stop::run(app, &args),
        Command::Pull(args) => cmd::pull::run(app, &args),
        Command::List(args) => cmd::list::run(app, &args),
        Command::Show(args) => cmd::show::run(app, &args),
        Command::Rm(args) => cmd::rm::run(app, &args),
        Command::Tokenize(args) => cmd::tokenize::run(app, &args),
        Command::Template(args) => cmd::template::run(app, &args),
        Command::Bench(args) => cmd::bench::run(app, &args),
        Command::Perplexity(args) => cmd::perplexity::run(app, &args),
    }
}
