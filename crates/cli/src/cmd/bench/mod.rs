//! `ingle bench`: llama-bench's two measurements, steps of few tokens, and the machine's limits.
//!
//! `pp512` reads a prompt of 512 tokens, `tg128` generates 128 tokens, `step4` computes 4 tokens at once
//! with logits for each; each is repeated, and the mean and standard deviation of tokens per second are
//! reported. Limits are measured before and after each test, as a virtual machine's change.

mod report;

use std::io;

use clap::builder::RangedU64ValueParser;
use ingle::bench::{Bench, Case};
use ingle::{KvType, Level, Model, limits};

use self::report::{Measured, Report};
use crate::App;
use crate::failure::Failure;
use crate::load::{self, LoadArgs};
use crate::text;

/// Measure speed as llama-bench does: reading prompts (pp) and generating text (tg)
///
/// Lists between commas run in all combinations.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The model; without one, `--limits` measures the machine alone
    #[arg(value_name = "MODEL", required_unless_present = "limits")]
    model: Option<String>,
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
    /// Tokens of one step, with logits for each: what it costs compared with a step of one
    #[arg(long, value_name = "K,…", value_delimiter = ',', value_parser = step())]
    batch: Vec<usize>,
    /// Tokens in the context before each test
    #[arg(
        short = 'd',
        long,
        alias = "depth",
        value_name = "N,…",
        value_delimiter = ',',
        default_value = "0"
    )]
    n_depth: Vec<usize>,
    /// Threads [default: as many as this process may use]
    #[arg(short, long, value_name = "N,…", value_delimiter = ',', value_parser = load::num_threads())]
    threads: Vec<usize>,
    /// Memory to take at most, as in 6GB [default: what is free, or the control group leaves]
    #[arg(long, value_name = "SIZE", value_parser = text::parse_bytes)]
    memory: Option<u64>,
    /// What keys and values are kept as: f16, q8_0 for half the memory, or q4_0 for a quarter, which shows
    #[arg(long, value_name = "TYPE", default_value = "f16", value_parser = load::kv_type())]
    kv_type: KvType,
    /// Use weights as they lie in the mapped file
    #[arg(long)]
    no_repack: bool,
    /// Repetitions of each test
    #[arg(short, long, value_name = "N", default_value_t = 5, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    repetitions: usize,
    /// Measure the machine too, and say what share of its limit each test reaches
    #[arg(long)]
    limits: bool,
    /// A JSON object for each test, as soon as it is done
    #[arg(long)]
    json: bool,
}

/// A step of the engine has at most 256 tokens; their logits all at once are large.
fn step() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=64)
}

/// Runs the command.
pub(crate) fn run(app: &App, args: &Args) -> Result<(), Failure> {
    let threads: Vec<Option<usize>> = match args.threads.as_slice() {
        [] => vec![None],
        some => some.iter().copied().map(Some).collect(),
    };
    let mut report = Report::new(args.json);
    let Some(name) = &args.model else {
        for threads in threads {
            let threads = threads.unwrap_or_else(all_threads);
            let level = Level::from_env().map_err(Failure::Usage)?;
            let test = limits::Test::new(level, threads)?;
            report.machine(level, threads, test.measure(), &mut io::stdout())?;
        }
        return Ok(());
    };
    let cases = cases(args);
    if cases.is_empty() {
        return Err(Failure::Usage(
            "nothing to measure: `-p` and `-n` are both 0".to_owned(),
        ));
    }
    for threads in threads {
        let how = LoadArgs {
            threads,
            memory: args.memory,
            kv_type: args.kv_type,
            no_repack: args.no_repack,
            measuring: Some(room(args, &cases)),
            ..LoadArgs::default()
        };
        let model = load::model(app, name, &how)?;
        for &depth in &args.n_depth {
            measure(&model, &cases, depth, args, &mut report)?;
        }
    }
    Ok(())
}

fn cases(args: &Args) -> Vec<Case> {
    let some = |list: &[usize], case: fn(usize) -> Case| -> Vec<Case> {
        list.iter().filter(|&&n| n > 0).map(|&n| case(n)).collect()
    };
    let tests = [
        some(&args.n_prompt, Case::Prompt),
        some(&args.n_gen, Case::Generate),
        some(&args.batch, Case::Step),
    ];
    tests.concat()
}

/// Context and rows of logits a step that the tests take.
fn room(args: &Args, cases: &[Case]) -> (usize, usize) {
    let longest = cases.iter().map(|case| case.num_tokens()).max();
    let depth = args.n_depth.iter().max();
    let max_outputs = args.batch.iter().max();
    (
        depth.unwrap_or(&0).saturating_add(longest.unwrap_or(1)),
        max_outputs.map_or(1, |&k| k.max(1)),
    )
}

/// All cases after `depth` tokens.
fn measure(
    model: &Model,
    cases: &[Case],
    depth: usize,
    args: &Args,
    report: &mut Report,
) -> Result<(), Failure> {
    let (level, threads) = (model.model().level(), model.info().num_threads);
    let machine = match args.limits {
        true => Some(limits::Test::new(level, threads)?),
        false => None,
    };
    let mut bench = Bench::new(model, depth, cases)?;
    let mut one = None;
    let mut before = machine.as_ref().map(limits::Test::measure);
    for &case in cases {
        let speed = bench.run(case, args.repetitions)?;
        let after = machine.as_ref().map(limits::Test::measure);
        let mut cost = None;
        if let Case::Step(k) = case {
            let seconds = k as f64 / speed.mean();
            if k == 1 {
                one = Some(seconds);
            }
            cost = one.map(|one| seconds / one);
        }
        let measured = Measured {
            case,
            depth,
            speed,
            cost,
            limits: before.zip(after).map(|(before, after)| before.max(after)),
        };
        before = after;
        report.test(model, &measured, &mut io::stdout())?;
    }
    Ok(())
}

fn all_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
