//! `ingle mcp`: models as tools of other programs.

use ingle::Pool;
use ingle::hub::DEFAULT_MODEL;

use crate::App;
use crate::failure::Failure;
use crate::load::{self, LoadArgs};
use crate::progress::Download;

/// Offer models as MCP tools (chat, complete, embed) over stdin and stdout, for programs that start this one
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The models; the first is the one that is asked unless another is named [default: smollm2]
    #[arg(value_name = "MODEL")]
    models: Vec<String>,
    #[command(flatten)]
    load: LoadArgs,
}

/// Serves until the client closes stdin.
pub(crate) fn run(app: &App, args: Args) -> Result<(), Failure> {
    let mut names = args.models;
    if names.is_empty() {
        names.push(DEFAULT_MODEL.to_owned());
    }
    // A name that is wrong is told now, and not to the first who asks.
    for name in &names {
        load::files(app, name)?;
    }
    let (settings, interrupt) = (args.load.settings()?, app.interrupt.clone());
    let configure = move |builder| settings(builder).progress(Download::new(&interrupt));
    let mut pool = Pool::builder().configure(configure);
    if let Some(memory) = args.load.memory {
        pool = pool.memory(memory);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("ingle-mcp")
        .enable_all()
        .build()?;
    let served = runtime.block_on(::mcp::serve_stdio(pool.build()?, names));
    // Reading stdin cannot be called off.
    runtime.shutdown_background();
    served.map_err(Failure::new)
}
