//! `ingle ps`: what a server has in memory.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::{Value, json};

use crate::App;
use crate::failure::Failure;
use crate::remote::Remote;
use crate::text::{self, Align};

/// List the models that a running server has in memory
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The server [default: what INGLE_HOST or OLLAMA_HOST says, else 127.0.0.1:8080]
    #[arg(long, value_name = "URL")]
    host: Option<String>,
    /// Say nothing, and fail unless the server is ready: a health check
    #[arg(long, conflicts_with = "json")]
    ready: bool,
    /// A JSON object: models
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(app: &App, args: &Args) -> Result<(), Failure> {
    let remote = Remote::new(args.host.as_deref())?;
    if args.ready {
        return remote.ready();
    }
    let mut models = remote.models()?;
    // Servers that do not say have everything loaded.
    models.retain(|model| model["status"]["value"] != "unloaded");
    let mut out = io::stdout();
    if args.json {
        writeln!(out, "{:#}", json!({ "models": models }))?;
        return Ok(());
    }
    let mut rows = vec![
        ["NAME", "SIZE", "CONTEXT", "IDLE", "UNTIL"]
            .map(str::to_owned)
            .to_vec(),
    ];
    rows.extend(models.iter().map(row));
    let right = Align::Right;
    let table = text::table(
        &[Align::Left, right, right, Align::Left, Align::Left],
        &rows,
    );
    let (heading, rows) = table.split_once('\n').unwrap_or((&table, ""));
    write!(out, "{}\n{rows}", app.style.heading(heading))?;
    Ok(())
}

fn row(model: &Value) -> Vec<String> {
    let status = &model["status"];
    let time = |seconds: &Value| {
        seconds
            .as_u64()
            .map(|seconds| text::duration(Duration::from_secs(seconds)))
    };
    let size = status["memory"].as_u64().or_else(|| model["size"].as_u64());
    let ctx = model["max_model_len"].as_u64();
    let idle = match status["is_in_use"].as_bool() {
        _ if status["value"] == "loading" => Some("loading".to_owned()),
        Some(true) => Some("in use".to_owned()),
        _ => time(&status["idle_seconds"]),
    };
    let until = time(&status["unload_in_seconds"]).map(|time| format!("{time} from now"));
    vec![
        model["id"].as_str().unwrap_or_default().to_owned(),
        size.map_or(String::new(), text::bytes),
        ctx.map_or(String::new(), |ctx| ctx.to_string()),
        idle.unwrap_or_default(),
        until.unwrap_or_else(|| "stopped by hand".to_owned()),
    ]
}
