//! Labels statements as create, read, update, delete or other: a model as a classifier.
//!
//! ```text
//! cargo run --release -p ingle --example crud_classifier -- --model NAME "DROP TABLE users"
//! … --model NAME --json FILE        a statement a line; without FILE or statement, of stdin
//! … --model NAME --evaluate         accuracy and confusion matrix over statements.tsv, or a FILE like it
//! ```

#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program"
)]

mod classifier;
mod evaluate;

use std::io::{BufRead, BufReader, Read, stdin};
use std::process::ExitCode;

use classifier::{Answer, Classifier, LABELS};
use serde_json::{Map, json};

struct Options {
    model: String,
    json: bool,
    evaluate: bool,
    /// A file, or a statement.
    input: Option<String>,
}

fn main() -> ExitCode {
    match options().and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn options() -> Result<Options, Box<dyn std::error::Error>> {
    let mut options = Options {
        model: "qwen2.5-coder-1.5b".to_owned(),
        json: false,
        evaluate: false,
        input: None,
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--model" => options.model = args.next().ok_or("`--model` needs a name or path")?,
            "--json" => options.json = true,
            "--evaluate" => options.evaluate = true,
            arg if arg.starts_with("--") => return Err(format!("unknown option `{arg}`").into()),
            _ => options.input = Some(arg),
        }
    }
    Ok(options)
}

fn run(options: &Options) -> Result<(), Box<dyn std::error::Error>> {
    let classifier = Classifier::new(&options.model)?;
    if options.evaluate {
        let table = options.input.as_ref().map(std::fs::read_to_string);
        let report = evaluate::evaluate(&classifier, table.transpose()?.as_deref())?;
        if options.json {
            println!("{}", report.json());
        } else {
            print!("{report}");
        }
        return Ok(());
    }
    let source: Box<dyn Read> = match &options.input {
        Some(path) if std::path::Path::new(path).is_file() => Box::new(std::fs::File::open(path)?),
        Some(statement) => Box::new(std::io::Cursor::new(statement.clone())),
        None => Box::new(stdin()),
    };
    for line in BufReader::new(source).lines() {
        let statement = line?;
        if !statement.trim().is_empty() {
            show(&statement, &classifier.classify(&statement)?, options.json);
        }
    }
    Ok(())
}

fn show(statement: &str, answer: &Answer, as_json: bool) {
    if as_json {
        let each = LABELS.iter().zip(answer.probabilities);
        let probabilities: Map<_, _> = each
            .map(|(label, p)| ((*label).to_owned(), json!(p)))
            .collect();
        println!(
            "{}",
            json!({"statement": statement, "label": answer.label(), "probabilities": probabilities})
        );
    } else {
        println!(
            "{}\t{:.3}\t{statement}",
            answer.label(),
            answer.probabilities[answer.best]
        );
    }
}
