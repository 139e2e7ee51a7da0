//! `ingle pull`: a model onto this disk.

use std::io::{self, Write};
use std::time::Instant;

use ingle::hub::{Hub, ModelRef};

use crate::App;
use crate::failure::Failure;
use crate::progress::Download;
use crate::text;

/// Download a model, or bring it up to date
///
/// Prints the paths of its files. What is here already is not downloaded again, and what was
/// interrupted goes on where it stopped.
#[derive(Debug, clap::Args)]
#[command(after_help = crate::args::models_help())]
pub(crate) struct Args {
    /// The model
    #[arg(value_name = "MODEL")]
    name: String,
}

/// Runs the command.
pub(crate) fn run(app: &App, args: &Args) -> Result<(), Failure> {
    let _caught = app.interrupt.catch();
    let (hub, start) = (Hub::from_env()?, Instant::now());
    let model = hub.pull(
        &ModelRef::parse(&args.name)?,
        &mut Download::new(&app.interrupt),
    )?;
    let (size, time) = (
        text::bytes(model.total_bytes),
        text::duration(start.elapsed()),
    );
    let note = format!("{}: {size}, ready after {time}", model.name);
    // A log line; that nobody reads it is no failure.
    let _ = writeln!(io::stderr(), "{}", app.style.err_dim(&note));
    let mut out = io::stdout();
    for file in &model.files {
        writeln!(out, "{}", file.display())?;
    }
    Ok(())
}
