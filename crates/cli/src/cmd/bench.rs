//! `ingle bench`: llama-bench's two measurements.
//!
//! `pp512` reads a prompt of 512 tokens, `tg128` generates 128 tokens from nothing; each is repeated, and
//! the mean and standard deviation of tokens per second are reported.

use std::io::{self, Write};

use clap::builder::RangedU64ValueParser;
use ingle::Model;
use ingle::bench::{self, Case};
use serde_json::json;

use crate::App;
use crate::failure::Failure;
use crate::load::{self, LoadArgs};
use crate::text;

/// Measure speed as llama-bench does: reading prompts (pp) and generating text (tg)
///
/// Lists between commas run in all combinations.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The model
    #[arg(value_name = "MODEL")]
    model: String,
    /// Tokens of a prompt; 0 leaves this test out
    #[arg(
        short = 'p',
        long,
        value_name = "N,…",
        value_delimiter = ',',
        default_value = "512"
    )]
    n_prompt: Vec<usize>,
    /// Tokens to generate; 0 leaves this test out
    #[arg(
        short = 'n',
        long,
        value_name = "N,…",
        value_delimiter = ',',
        default_value = "128"
    )]
    n_gen: Vec<usize>,
    /// Threads [default: as many as this process may use]
    #[arg(short, long, value_name = "N,…", value_delimiter = ',', value_parser = load::num_threads())]
    threads: Vec<usize>,
    /// Memory to take at most, as in 6GB [default: what is free, or the control group leaves]
    #[arg(long, value_name = "SIZE", value_parser = text::parse_bytes)]
    memory: Option<u64>,
    /// Repetitions of each test
    #[arg(short, long, value_name = "N", default_value_t = 5, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    repetitions: usize,
    /// A JSON object for each test, as soon as it is done
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(app: &App, args: &Args) -> Result<(), Failure> {
    let prompts = args
        .n_prompt
        .iter()
        .filter(|&&n| n > 0)
        .map(|&n| Case::Prompt(n));
    let generations = args
        .n_gen
        .iter()
        .filter(|&&n| n > 0)
        .map(|&n| Case::Generate(n));
    let cases: Vec<Case> = prompts.chain(generations).collect();
    if cases.is_empty() {
        return Err(Failure::Usage(
            "nothing to measure: `-p` and `-n` are both 0".to_owned(),
        ));
    }
    let threads: Vec<Option<usize>> = match args.threads.as_slice() {
        [] => vec![None],
        some => some.iter().copied().map(Some).collect(),
    };
    let longest = cases
        .iter()
        .map(|case| case.num_tokens())
        .max()
        .unwrap_or(1);
    let mut out = io::stdout();
    let mut head = !args.json;
    for threads in threads {
        let how = LoadArgs {
            threads,
            memory: args.memory,
            measuring: Some((longest, 1)),
            ..LoadArgs::default()
        };
        let model = load::model(app, &args.model, &how)?;
        for case in &cases {
            if std::mem::take(&mut head) {
                let names = row("model", "size", "threads", "level", "test", "t/s");
                writeln!(out, "{names}\n{}", "-".repeat(names.chars().count()))?;
            }
            measure(&model, *case, args, &mut out)?;
        }
    }
    Ok(())
}

fn measure(model: &Model, case: Case, args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let (n_prompt, n_gen) = match case {
        Case::Prompt(n) => (n, 0),
        Case::Generate(n) => (0, n),
    };
    let test = case.name();
    let speed = bench::run(model, case, args.repetitions)?;
    let info = model.info();
    if args.json {
        let line = json!({
            "model": info.name,
            "size": info.file_bytes,
            "threads": info.num_threads,
            "level": info.level,
            "test": test,
            "n_prompt": n_prompt,
            "n_gen": n_gen,
            "avg_ts": speed.mean(),
            "stddev_ts": speed.stddev(),
            "samples_ts": speed.samples,
        });
        writeln!(out, "{line}")?;
    } else {
        let speed = format!("{:.2} ± {:.2}", speed.mean(), speed.stddev());
        let threads = info.num_threads.to_string();
        let size = text::bytes(info.file_bytes);
        writeln!(
            out,
            "{}",
            row(
                short(&info.name),
                &size,
                &threads,
                info.level,
                &test,
                &speed
            )
        )?;
    }
    Ok(())
}

/// The last part of a path.
fn short(name: &str) -> &str {
    name.rsplit(['/', '\\']).next().unwrap_or(name)
}

fn row(model: &str, size: &str, threads: &str, level: &str, test: &str, speed: &str) -> String {
    format!("{model:<32}  {size:>10}  {threads:>7}  {level:<11}  {test:>7}  {speed:>18}")
}
