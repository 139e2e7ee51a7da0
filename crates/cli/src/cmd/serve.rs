//! `ingle serve`: models behind HTTP.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::Arc;

use server::{Options, Server};
use tracing::level_filters::LevelFilter;

use crate::App;
use crate::failure::Failure;
use crate::load::LoadArgs;
use crate::progress::Download;

/// Serve models over HTTP, for clients of OpenAI, llama.cpp, Anthropic and Ollama
///
/// With a model, that one is served and answers to any name. Without, requests name the model, and what is on this
/// disk is loaded as it is asked for.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The model [default: those that requests name]
    #[arg(value_name = "MODEL")]
    model: Option<String>,
    /// The model, as llama-server has it
    #[arg(
        short = 'm',
        long = "model",
        value_name = "MODEL",
        conflicts_with = "model"
    )]
    model_flag: Option<String>,
    /// Names that the model answers to [default: its own]
    #[arg(short, long, value_name = "NAMES", value_delimiter = ',')]
    alias: Vec<String>,
    /// Address to listen at
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    host: String,
    /// Port to listen at; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    port: u16,
    /// Requests that are computed side by side
    #[arg(long, short = 'P', visible_alias = "np", value_name = "N", default_value_t = ingle::DEFAULT_PARALLEL)]
    parallel: usize,
    /// Requests that may wait; more are refused
    #[arg(long, value_name = "N", default_value_t = 512)]
    max_queue: usize,
    /// Keys, one of which every request must show
    #[arg(long, value_name = "KEYS", value_delimiter = ',')]
    api_key: Vec<String>,
    /// Web pages that may use this server, as origins; * is all
    #[arg(long, value_name = "ORIGINS", value_delimiter = ',')]
    cors_origins: Vec<String>,
    /// Names that this server is called by, beside this machine's own; * is all
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    allowed_hosts: Vec<String>,
    /// Serve `/metrics`
    #[arg(long)]
    metrics: bool,
    /// Folder whose models can be named too
    #[arg(long, value_name = "FOLDER")]
    models_dir: Option<PathBuf>,
    /// Models in memory at a time
    #[arg(long, value_name = "N", default_value_t = 4)]
    models_max: usize,
    /// Say more
    #[arg(short, long)]
    verbose: bool,
    #[command(flatten)]
    load: LoadArgs,
}

/// Exit code of a server that was not let finish.
const INTERRUPTED: i32 = 130;

/// Serves until Ctrl-C or SIGTERM, then lets replies under way end; a second signal ends at once.
pub(crate) fn run(app: &App, args: &Args) -> Result<(), Failure> {
    log(args.verbose);
    let interrupt = app.interrupt.clone();
    let settings = args.load.settings()?;
    let options = Options {
        host: args.host.clone(),
        port: args.port,
        model: args.model.clone().or_else(|| args.model_flag.clone()),
        aliases: args.alias.clone(),
        models_dir: args.models_dir.clone(),
        max_models: args.models_max,
        memory: args.load.memory,
        configure: Arc::new(move |builder| settings(builder).progress(Download::new(&interrupt))),
        parallel: args.parallel,
        max_queue: args.max_queue,
        api_keys: args.api_key.clone(),
        allowed_origins: args.cors_origins.clone(),
        allowed_hosts: args.allowed_hosts.clone(),
        metrics: args.metrics,
        ..Options::default()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(16)
        .thread_name("ingle-http")
        .enable_all()
        .build()?;
    let _caught = app.interrupt.catch();
    runtime
        .block_on(async {
            let server = Server::bind(options).await?;
            let address = server.address()?;
            tracing::info!(%address, "listening");
            server
                .run(asked_to_end(), |model| match model {
                    Some(model) => tracing::info!(model = model.info().name, "ready"),
                    None => tracing::info!("ready"),
                })
                .await
        })
        .map_err(Failure::new)
}

/// Waits for Ctrl-C or SIGTERM. A second one of these, or a signal that cannot be waited for, ends the program.
async fn asked_to_end() {
    let ctrl_c = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let Ok(mut terminate) = signal(SignalKind::terminate()) else {
            return;
        };
        tokio::select! {
            _ = ctrl_c => {}
            _ = terminate.recv() => {}
        }
        tokio::spawn(async move {
            terminate.recv().await;
            std::process::exit(INTERRUPTED);
        });
    }
    #[cfg(not(unix))]
    let _ = ctrl_c.await;
    tracing::info!("ending: replies under way may finish");
}

/// Lines on stderr: for people on a terminal, JSON for machines.
fn log(verbose: bool) {
    let level = match verbose {
        true => LevelFilter::DEBUG,
        false => LevelFilter::INFO,
    };
    let lines = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(io::stderr);
    match io::stderr().is_terminal() {
        true => lines.with_target(false).init(),
        false => lines.with_ansi(false).with_target(false).init(),
    }
}
