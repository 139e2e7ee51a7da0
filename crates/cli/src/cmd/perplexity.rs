//! `ingle perplexity`: llama-perplexity's method, so figures compare.

use std::io::{self, Write};
use std::path::PathBuf;

use ingle::perplexity::{self, Perplexity};
use ingle::{DType, KvType};
use serde_json::json;

use crate::App;
use crate::failure::Failure;
use crate::load::{self, LoadArgs};
use crate::text;

/// Measure how well a model predicts a text
///
/// The text is cut into chunks of the context's length, and each chunk's second half is scored.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The model
    #[arg(value_name = "MODEL")]
    model: String,
    /// The text
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    /// Tokens of a chunk
    #[arg(short, long, value_name = "N", default_value_t = 512)]
    ctx: usize,
    /// Chunks at most [default: all]
    #[arg(long, value_name = "N")]
    chunks: Option<usize>,
    /// Threads that compute [default: as many as this process may use]
    #[arg(short, long, value_name = "N", value_parser = load::num_threads())]
    threads: Option<usize>,
    /// Memory to take at most, as in 6GB [default: what is free, or the control group leaves]
    #[arg(long, value_name = "SIZE", value_parser = text::parse_bytes)]
    memory: Option<u64>,
    /// What keys and values are kept as: f16, q8_0 for half the memory, or q4_0 for a quarter, which shows
    #[arg(long, value_name = "TYPE", default_value = "f16", value_parser = load::kv_type())]
    kv_type: KvType,
    /// Quantise matrices while loading: q8_0, q6_k, q5_k, q4_k, q4_0, q3_k, q2_k or mxfp4
    #[arg(long, value_name = "TYPE", value_parser = load::quant_type())]
    quant: Option<DType>,
    /// A JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the command. The estimate goes to stdout, the way there to stderr.
pub(crate) fn run(app: &App, args: &Args) -> Result<(), Failure> {
    let text = load::read_text(&args.file)?;
    let how = LoadArgs {
        threads: args.threads,
        memory: args.memory,
        kv_type: args.kv_type,
        quant: args.quant,
        measuring: Some((args.ctx, perplexity::MAX_OUTPUTS)),
        ..LoadArgs::default()
    };
    let model = load::model(app, &args.model, &how)?;
    let mut err = io::stderr();
    let on_chunk = |of: usize, so_far: &Perplexity| {
        let note = format!("[{}/{of}]{:.4} ", so_far.chunks, so_far.ppl);
        let _ = write!(err, "{}", app.style.err_dim(&note));
    };
    let found = perplexity::run(&model, &text, args.ctx, args.chunks, on_chunk);
    let _ = writeln!(err);
    let found = found?;
    let mut out = io::stdout();
    if args.json {
        let line = json!({
            "model": model.info().name,
            "file": args.file,
            "ctx": args.ctx,
            "kv_type": args.kv_type.name(),
            "chunks": found.chunks,
            "tokens": found.tokens,
            "ppl": found.ppl,
            "stderr": found.stderr,
        });
        writeln!(out, "{line}")?;
    } else {
        writeln!(
            out,
            "perplexity = {:.4} ± {:.5} ({} chunks of {})",
            found.ppl, found.stderr, found.chunks, args.ctx
        )?;
    }
    Ok(())
}
