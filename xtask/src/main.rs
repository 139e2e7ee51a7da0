//! The project's tasks: `cargo xtask <task>`. No dependencies, so that it builds in a second.
//!
//! | task | does |
//! |---|---|
//! | `ci [--only STEP]…` | everything CI does, in order; what passes here passes there |
//! | `bench [MODEL]… [FLAG]…` | speed against llama.cpp, in turns |
//! | `tidy` | the rules of the house that no compiler keeps |
//! | `fetch [NAME]…` | models that the tests run, verified by SHA-256 |
//! | `check-inline FILE…` | no vector instruction is left as a function call |
//! | `cross [TARGET]…` | tests of levels that this CPU lacks, emulated |
//! | `size` | lines per crate |

#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that reports to its user"
)]

mod bench;
mod ci;
mod clients;
mod cross;
mod exec;
mod fetch;
mod inline;
mod page;
mod serve;
mod size;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Why a task failed: the text for the user.
type Failure = String;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let Some((task, rest)) = arguments.split_first() else {
        eprintln!("{}", usage());
        return ExitCode::from(2);
    };
    let outcome = match *task {
        "ci" => match ci::Step::parse_all(rest) {
            Ok(steps) if ci::run(&root(), &steps) => Ok(()),
            // All is said.
            Ok(_) => return ExitCode::FAILURE,
            Err(wrong) => return misused(&wrong),
        },
        "bench" => bench::run(&root(), rest),
        "tidy" => tidy::run(&root()),
        "fetch" => fetch::run(rest).map(|folder| println!("{}", folder.display())),
        "check-inline" if !rest.is_empty() => {
            let files: Vec<PathBuf> = rest.iter().map(PathBuf::from).collect();
            inline::check(&files)
        }
        "check-inline" => return misused("`check-inline` needs a program to look into"),
        "cross" => cross::run(&root(), rest),
        "size" => size::run(&root()),
        "help" | "-h" | "--help" => {
            println!("{}", usage());
            Ok(())
        }
        other => return misused(&format!("no task is named `{other}`")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

/// The folder of the workspace.
fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_owned()
}

fn usage() -> String {
    format!(
        "usage: cargo xtask <task>\n\
         \x20 ci [--only STEP]...  run what CI runs; steps: {}\n\
         \x20 bench [MODEL]... [FLAG]...  speed against llama.cpp; models: {}, files, PRESET/QUANT\n\
         \x20 tidy                 check the rules of the house\n\
         \x20 fetch [NAME]...      bring the test models; known: {}\n\
         \x20 check-inline FILE... no intrinsic may be a function of its own in these programs\n\
         \x20 cross [TARGET]...    tests of levels that this CPU lacks, emulated; targets: {}\n\
         \x20 size                 lines per crate",
        ci::Step::names().join(", "),
        fetch::names().join(", "),
        cross::names().join(", "),
        fetch::names().join(", "),
    )
}

fn misused(what: &str) -> ExitCode {
    eprintln!("{what}\n{}", usage());
    ExitCode::from(2)
}
