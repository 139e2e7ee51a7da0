//! `ingle batch`: a file of requests, at full throughput.

mod job;
mod output;
mod tools;

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use ingle::{Answer, Model, Reply};
use serde_json::json;

use crate::App;
use crate::failure::Failure;
use crate::grammar::GrammarArgs;
use crate::load::{self, LoadArgs};
use crate::sampling::SamplingArgs;
use job::{Job, Usual};
use output::Output;

/// Carry out a file of requests, many at a time
///
/// Each line of the input is a JSON object: `messages` or `prompt` with OpenAI's names for what else there is to
/// say, or a line of OpenAI's batch format with these under `body`. Each line of the output is the answer to one
/// of them, in the order in which they end; `line` says which. A run that was stopped goes on where it was: lines
/// that the output has are not done again. Lines that cannot be carried out go to OUT.rejected, with the reason.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Requests, one a line
    #[arg(value_name = "IN.jsonl")]
    input: PathBuf,
    /// Answers, one a line
    #[arg(value_name = "OUT.jsonl")]
    output: PathBuf,
    /// The model
    #[arg(short, long, value_name = "MODEL", default_value = ingle::hub::DEFAULT_MODEL)]
    model: String,
    /// Requests that are computed side by side
    #[arg(long, short = 'P', value_name = "N", default_value_t = ingle::DEFAULT_PARALLEL)]
    parallel: usize,
    /// Most tokens of an answer, where the request says nothing [default: up to the end of the context]
    #[arg(short = 'n', long, value_name = "N")]
    max_tokens: Option<usize>,
    #[command(flatten)]
    load: LoadArgs,
    #[command(flatten)]
    grammar: GrammarArgs,
    #[command(flatten)]
    sampling: SamplingArgs,
}

/// Runs the command. stdout stays empty: the answers are in the output.
pub(crate) fn run(app: &App, args: &Args) -> Result<(), Failure> {
    let lines = read_lines(&args.input)?;
    let output = Output::open(&args.output)?;
    output.check(&lines)?;
    let mut rejected_path = args.output.clone().into_os_string();
    rejected_path.push(".rejected");
    let rejected_path = PathBuf::from(rejected_path);
    let mut how = args.load.clone();
    how.parallel = args.parallel;
    let model = load::model(app, &args.model, &how)?;
    let mut sampler = args.sampling.params(&model.info().sampler)?;
    let grammar = args.grammar.spec()?;
    // The same file gives the same answers: whoever wants others says so.
    sampler.seed = u64::try_from(args.sampling.seed).unwrap_or(0);
    let is_left = |&n: &usize| !output.has(n) && !lines[n - 1].trim().is_empty();
    let left: Vec<usize> = (1..=lines.len()).filter(is_left).collect();
    let bar = bar(left.len());
    if output.num_done() > 0 {
        let note = format!(
            "{} of {} lines are done already",
            output.num_done(),
            lines.len()
        );
        let _ = writeln!(io::stderr(), "{}", app.style.err_dim(&note));
    }
    let state = Mutex::new(State {
        left: left.into_iter(),
        output,
        rejected: None,
        num_rejected: 0,
        generated: 0,
        failure: None,
    });
    let start = Instant::now();
    let _caught = app.interrupt.catch();
    std::thread::scope(|scope| {
        // Twice as many as are computed: the next ones wait at the engine's door, not here.
        for _ in 0..2 * args.parallel {
            scope.spawn(|| {
                while !app.interrupt.caught()
                    && let Some(number) = next(&state)
                {
                    let line = &lines[number - 1];
                    let usual = Usual {
                        sampler: &sampler,
                        max_tokens: args.max_tokens,
                        grammar: grammar.as_ref(),
                    };
                    let done = carry_out(&model, &usual, number, line);
                    store(&state, &rejected_path, number, line, done);
                    bar.inc(1);
                }
            });
        }
    });
    bar.finish_and_clear();
    let state = state.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(failure) = state.failure {
        return Err(failure);
    }
    if app.interrupt.caught() {
        let hint = "stopped\nhint: the same command goes on from here";
        return Err(Failure::Interrupted(Some(hint.into())));
    }
    report(app, &state, start.elapsed(), &rejected_path)
}

/// What the threads share.
struct State {
    left: std::vec::IntoIter<usize>,
    output: Output,
    rejected: Option<File>,
    num_rejected: usize,
    generated: usize,
    failure: Option<Failure>,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn next(state: &Mutex<State>) -> Option<usize> {
    let mut state = lock(state);
    match state.failure {
        Some(_) => None,
        None => state.left.next(),
    }
}

/// The result and its number of tokens, or why there is none.
type Done = Result<(serde_json::Value, usize), String>;

fn carry_out(model: &Model, usual: &Usual<'_>, number: usize, line: &str) -> Done {
    let job = Job::parse(line, number)?;
    let request = job.request(model, usual)?;
    let replies = match job.has_tools() {
        true => request.answer_all(),
        false => request
            .run_all()
            .map(|all| all.into_iter().map(|reply| (reply, None)).collect()),
    };
    let replies: Vec<(Reply, Option<Answer>)> = replies.map_err(|error| error.to_string())?;
    let generated = replies.iter().map(|(r, _)| r.usage.generated_tokens).sum();
    let name = &model.info().name;
    let value = output::result((number, line), &job, name, model.tokenizer(), &replies);
    Ok((value, generated))
}

fn store(state: &Mutex<State>, rejected_path: &Path, number: usize, line: &str, done: Done) {
    let mut state = lock(state);
    let stored = match done {
        Ok((value, generated)) => {
            state.generated += generated;
            state.output.add(&value)
        }
        Err(error) => {
            state.num_rejected += 1;
            let value = json!({ "line": number, "error": error, "input": line });
            state.reject(rejected_path, &value)
        }
    };
    if let Err(failure) = stored {
        state.failure.get_or_insert(failure);
    }
}

impl State {
    /// Puts a line aside. The file begins anew in each run: what can be carried out by then is not in it any more.
    fn reject(&mut self, path: &Path, value: &serde_json::Value) -> Result<(), Failure> {
        let failed = |error| Failure::file("write", path, &error);
        let file = match &mut self.rejected {
            Some(file) => file,
            None => self.rejected.insert(File::create(path).map_err(failed)?),
        };
        writeln!(file, "{value}").map_err(failed)
    }
}

/// Lines as they are; empty ones count, so that the others keep their number.
fn read_lines(path: &Path) -> Result<Vec<String>, Failure> {
    let failed = |error| Failure::file("read", path, &error);
    let file = File::open(path).map_err(failed)?;
    let lines: io::Result<Vec<String>> = BufReader::new(file).lines().collect();
    lines.map_err(failed)
}

fn bar(len: usize) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(len as u64);
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} {elapsed} eta {eta}");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn report(app: &App, state: &State, time: Duration, rejected: &Path) -> Result<(), Failure> {
    let rate = state.generated as f64 / time.as_secs_f64().max(1e-9);
    let note = format!("{} tokens, {rate:.1} tokens a second", state.generated);
    let _ = writeln!(io::stderr(), "{}", app.style.err_dim(&note));
    match state.num_rejected {
        0 => Ok(()),
        n => Err(Failure::new(format!(
            "{n} lines could not be carried out: `{}` has them and the reasons",
            rejected.display()
        ))),
    }
}
