//! `ingle serve`: models behind HTTP.

mod args;
mod log;
mod options;

use std::sync::Arc;

use server::Server;

pub(crate) use self::args::Args;
use crate::App;
use crate::failure::Failure;
use crate::llamacpp;
use crate::mcp::connect;

/// Exit code of a server that was not let finish.
const INTERRUPTED: i32 = 130;

/// Serves until Ctrl-C or SIGTERM, then lets replies under way end; a second signal ends at once.
pub(crate) fn run(app: &App, args: &Args) -> Result<(), Failure> {
    args.log.start();
    let variables = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    for name in llamacpp::unknown_variables(variables) {
        tracing::warn!(name, "no variable of llama-server that is known here");
    }
    let mut options = options::options(app, args)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(usize::try_from(args.http.threads_http).unwrap_or(1).max(1))
        .max_blocking_threads(16)
        .thread_name("ingle-http")
        .enable_all()
        .build()?;
    let _caught = app.interrupt.catch();
    if let Some(path) = &args.replies.mcp_config {
        let clients = runtime.block_on(connect(path))?;
        tracing::info!(tools = clients.tools().len(), "MCP servers run");
        options.mcp = Some(Arc::new(clients));
    }
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
