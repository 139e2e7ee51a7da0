//! What the server says while it runs: lines on stderr, for people or for machines.

use std::io::{self, IsTerminal};

use tracing::level_filters::LevelFilter;

/// What is said, and how.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Log")]
pub(crate) struct LogArgs {
    /// Say more
    #[arg(short, long)]
    verbose: bool,
    /// How much: 0 nothing, 1 errors, 2 warnings, 3 what happens, 4 and more everything
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    verbosity: Option<i64>,
    /// Say nothing
    #[arg(long)]
    log_disable: bool,
    /// Lines of text, or JSON objects
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = ["text", "json"])]
    log_format: String,
    /// As `--log-format json`
    #[arg(long, hide = true)]
    log_jsonl: bool,
}

impl LogArgs {
    /// Lets lines out from here on.
    pub(super) fn start(&self) {
        let lines = tracing_subscriber::fmt()
            .with_max_level(self.level())
            .with_writer(io::stderr)
            .with_target(false);
        match self.log_jsonl || self.log_format == "json" {
            true => lines.json().flatten_event(true).init(),
            false => lines.with_ansi(io::stderr().is_terminal()).init(),
        }
    }

    fn level(&self) -> LevelFilter {
        match self.verbosity {
            _ if self.log_disable => LevelFilter::OFF,
            _ if self.verbose => LevelFilter::DEBUG,
            None | Some(3) => LevelFilter::INFO,
            Some(2) => LevelFilter::WARN,
            Some(1) => LevelFilter::ERROR,
            Some(..=0) => LevelFilter::OFF,
            Some(4..) => LevelFilter::DEBUG,
        }
    }
}
