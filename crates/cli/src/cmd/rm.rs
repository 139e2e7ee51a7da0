//! `ingle rm`: a model off this disk.

use std::io::{self, Write};

use ingle::hub::{Hub, ModelRef};

use crate::App;
use crate::failure::Failure;
use crate::text;

/// Remove models from the cache
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The models, as `ingle list` names them
    #[arg(value_name = "MODEL", required = true)]
    names: Vec<String>,
}

/// Runs the command. All names are read before anything is removed.
pub(crate) fn run(app: &App, args: &Args) -> Result<(), Failure> {
    let hub = Hub::from_env()?;
    let models = args.names.iter().map(|name| ModelRef::parse(name));
    for model in models.collect::<Result<Vec<_>, _>>()? {
        let freed = hub.remove(&model)?;
        let note = format!("removed {model}, {} are free again", text::bytes(freed));
        let _ = writeln!(io::stderr(), "{}", app.style.err_dim(&note));
    }
    Ok(())
}
