//! `ingle stop`: has a server let a model go.

use std::io::{self, Write};

use crate::App;
use crate::failure::Failure;
use crate::remote::Remote;

/// Have a running server unload a model; replies under way end first
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The model [default: all that are loaded]
    #[arg(value_name = "MODEL")]
    model: Option<String>,
    /// The server [default: what INGLE_HOST or OLLAMA_HOST says, else 127.0.0.1:8080]
    #[arg(long, value_name = "URL")]
    host: Option<String>,
}

/// Runs the command.
pub(crate) fn run(app: &App, args: &Args) -> Result<(), Failure> {
    let remote = Remote::new(args.host.as_deref())?;
    let names = match &args.model {
        Some(name) => vec![name.clone()],
        None => {
            let models = remote.models()?.into_iter();
            let loaded = models.filter(|model| model["status"]["value"] == "loaded");
            loaded
                .filter_map(|model| Some(model["id"].as_str()?.to_owned()))
                .collect()
        }
    };
    let mut err = io::stderr();
    if names.is_empty() {
        let _ = writeln!(err, "{}", app.style.err_dim("no model is loaded"));
    }
    for name in names {
        remote.unload(&name)?;
        let _ = writeln!(err, "{}", app.style.err_dim(&format!("unloaded {name}")));
    }
    Ok(())
}
