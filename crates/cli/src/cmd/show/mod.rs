//! `ingle show`: what a file holds and what this machine would make of it.
//!
//! The same facts are collected once, as JSON, and printed from there: text and `--json` cannot differ.
//! Everything a bug report needs is in it. A file without weights, or of an architecture that does not run
//! here, is shown as far as it goes.

mod config;
mod debug;
mod facts;
mod memory;
mod metadata;
mod print;

use std::io::{self, BufWriter, Write};

use ingle::KvType;

use crate::App;
use crate::failure::Failure;
use crate::load;
use crate::text;

/// Show what a model is: metadata, architecture, tensors, kernels, memory, chat template, sampler
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The model
    #[arg(value_name = "MODEL")]
    model: String,
    /// Context length to reckon memory for [default: the one `ingle run` would take]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    ctx: Option<u64>,
    /// Memory it may take, as in 6GB [default: what is free, or the control group leaves]
    #[arg(long, value_name = "SIZE", value_parser = text::parse_bytes)]
    memory: Option<u64>,
    /// What keys and values are kept as: f16, q8_0 for half the memory, or q4_0 for a quarter, which shows
    #[arg(long, value_name = "TYPE", default_value = "f16", value_parser = load::kv_type())]
    kv_type: KvType,
    /// Every tensor in place of a table by type
    #[arg(long)]
    tensors: bool,
    /// The same as a JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(app: &App, args: &Args) -> Result<(), Failure> {
    let files = load::files(app, &args.model)?;
    let facts = facts::collect(&files, args)?;
    let mut out = BufWriter::new(io::stdout().lock());
    match args.json {
        true => writeln!(out, "{facts:#}")?,
        false => print::print(&facts, &app.style, &mut out)?,
    }
    out.flush()?;
    Ok(())
}
