//! What CI runs, step by step, up to the first failure.
//!
//! Everything is built once, in the `dev` profile, where the crates with inner loops are optimised:
//! the tests then run at full speed and no second, optimised build is needed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::exec::{self, Tally, seconds};
use crate::{Failure, clients, fetch, inline, page, tidy};

/// One step; they run in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Every file is formatted.
    Fmt,
    /// The rules of the house.
    Tidy,
    /// No warning of the compiler or of clippy, in tests and examples too.
    Clippy,
    /// The documentation builds without a warning: no broken link.
    Doc,
    /// The test models are there.
    Fetch,
    /// Every test, documentation examples too.
    Test,
    /// The tests of what lies above the kernels, again at each level of instructions.
    Levels,
    /// Real client libraries against the server.
    Clients,
    /// The fuzz targets still compile.
    Fuzz,
    /// Intrinsics are instructions, not function calls.
    Inline,
    /// The page of the server: its build is fresh, and it works in Chromium.
    Page,
}

impl Step {
    const ALL: [Self; 11] = [
        Self::Fmt,
        Self::Tidy,
        Self::Clippy,
        Self::Doc,
        Self::Fetch,
        Self::Test,
        Self::Levels,
        Self::Clients,
        Self::Fuzz,
        Self::Inline,
        Self::Page,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Fmt => "fmt",
            Self::Tidy => "tidy",
            Self::Clippy => "clippy",
            Self::Doc => "doc",
            Self::Fetch => "fetch",
            Self::Test => "test",
            Self::Levels => "levels",
            Self::Clients => "clients",
            Self::Fuzz => "fuzz",
            Self::Inline => "inline",
            Self::Page => "page",
        }
    }

    /// The names of all steps, in order.
    pub(crate) fn names() -> Vec<&'static str> {
        Self::ALL.into_iter().map(Self::name).collect()
    }

    /// The steps that `--only STEP` arguments name, in the order of CI; all of them without arguments.
    ///
    /// # Errors
    /// If an argument is something else.
    pub(crate) fn parse_all(arguments: &[&str]) -> Result<Vec<Self>, Failure> {
        let mut wanted = Vec::new();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let name = match (*argument, argument.strip_prefix("--only=")) {
                (_, Some(name)) => name,
                ("--only", None) => rest.next().ok_or("`--only` needs a step")?,
                (other, None) => return Err(format!("`ci` takes no `{other}`")),
            };
            let step = Self::ALL.into_iter().find(|step| step.name() == name);
            wanted.push(step.ok_or_else(|| format!("`ci` has no step `{name}`"))?);
        }
        let chosen = |step: &Self| wanted.is_empty() || wanted.contains(step);
        Ok(Self::ALL.into_iter().filter(chosen).collect())
    }
}

/// Runs `steps` up to the first that fails. Returns whether all passed.
///
/// Prints how long each took, which one failed and, in the last line, the sum of the tests, if any ran.
pub(crate) fn run(root: &Path, steps: &[Step]) -> bool {
    let start = Instant::now();
    let mut tally = Tally::default();
    let mut times = Vec::new();
    let mut failed = None;
    for &step in steps {
        let name = step.name();
        println!("── {name}");
        let step_start = Instant::now();
        let outcome = run_step(root, step, &mut tally);
        let time = seconds(step_start.elapsed());
        if let Err(failure) = outcome {
            failed = Some(format!("{failure}\nci: step `{name}` failed after {time}"));
            break;
        }
        times.push(format!("{name} {time}, "));
    }
    println!("── {}total {}", times.concat(), seconds(start.elapsed()));
    for name in &tally.failures {
        println!("failed: {name}");
    }
    if let Some(failure) = &failed {
        println!("{failure}");
    }
    if tally != Tally::default() {
        println!("{}", tally.summary());
    }
    failed.is_none()
}

fn run_step(root: &Path, step: Step, tally: &mut Tally) -> Result<(), Failure> {
    match step {
        Step::Fmt => exec::stream(cargo(root).args(["fmt", "--all", "--check"])),
        Step::Tidy => tidy::run(root),
        Step::Clippy => exec::stream(
            cargo(root)
                .args(["clippy", "--workspace", "--all-targets", "--locked"])
                .args(["--", "-D", "warnings"]),
        ),
        Step::Doc => exec::stream(
            cargo(root)
                .args(["doc", "--workspace", "--no-deps", "--locked"])
                .env("RUSTDOCFLAGS", "-D warnings"),
        ),
        Step::Fetch => fetch::run(&[]).map(drop),
        Step::Test => exec::test(
            test_environment(&mut cargo(root))?.args([
                "test",
                "--workspace",
                "--locked",
                "--no-fail-fast",
            ]),
            tally,
        ),
        Step::Levels => test_levels(root, tally),
        Step::Clients => clients::run(root, &target_dir(root), &[], tally),
        Step::Fuzz => exec::stream(
            cargo(root)
                .args(["check", "--manifest-path", "fuzz/Cargo.toml", "--locked"])
                .arg("--target-dir")
                .arg(target_dir(root))
                // A check links nothing, so libFuzzer need not be compiled (it is C++).
                .env("CUSTOM_LIBFUZZER_PATH", "none/libfuzzer.a"),
        ),
        Step::Page => page::run(root, &target_dir(root)),
        Step::Inline => {
            let programs = test_programs(root)?;
            let of_kernels = programs.into_iter().filter(|p| p.is_of(root, "kernels"));
            let paths: Vec<PathBuf> = of_kernels.map(|program| program.path).collect();
            match paths.is_empty() {
                true => Err("no test program of `kernels` was built".to_owned()),
                false => inline::check(&paths),
            }
        }
    }
}

/// Crates whose tests compute with kernels and do not go through the levels themselves.
const ABOVE_KERNELS: [&str; 3] = ["model", "engine", "ingle"];

/// Names, or parts of them, of the tests that run a real model, or many requests. Without vector instructions they take
/// minutes, and what they would show is shown: the tests of `kernels` compare the levels bit for bit.
const LONG: [&str; 2] = ["smollm2", "two_hundred_prompts"];

/// Test programs above the kernels that compute nothing with them, and a part of other such tests' names.
const NO_KERNELS: [&str; 2] = ["grammar", "dialogue"];
const SIMULATION: &str = "simulation";

fn test_levels(root: &Path, tally: &mut Tally) -> Result<(), Failure> {
    let programs = test_programs(root)?;
    let mut failures = Vec::new();
    for level in levels() {
        for program in &programs {
            if !ABOVE_KERNELS.iter().any(|name| program.is_of(root, name))
                || NO_KERNELS.iter().any(|name| program.is_named(name))
            {
                continue;
            }
            println!("INGLE_ISA={level} {}", program.path.display());
            let mut command = Command::new(&program.path);
            command.current_dir(&program.folder).env("INGLE_ISA", level);
            command.args(["--skip", SIMULATION]);
            if level == "scalar" {
                command.args(LONG.iter().flat_map(|name| ["--skip", name]));
            }
            if let Err(failure) = exec::test(test_environment(&mut command)?, tally) {
                failures.push(format!("INGLE_ISA={level}: {failure}"));
            }
        }
    }
    match failures.is_empty() {
        true => Ok(()),
        false => Err(failures.join("\n")),
    }
}

/// The levels of instructions this CPU has, as `INGLE_ISA` takes them, without the best one of
/// all: the ordinary test run takes that.
fn levels() -> Vec<&'static str> {
    #[allow(unused_mut, reason = "other machines have no further level")]
    let mut levels = vec!["scalar"];
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            levels.push("avx2");
        }
        if is_x86_feature_detected!("avxvnni") {
            levels.push("avx2-vnni");
        }
        if is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vl") {
            levels.push("avx512");
        }
    }
    #[cfg(target_arch = "aarch64")]
    {
        levels.push("neon");
        if std::arch::is_aarch64_feature_detected!("dotprod") {
            levels.push("neon-dotprod");
        }
    }
    levels
}

/// A test program that cargo built.
struct Program {
    path: PathBuf,
    /// Folder of its package: where cargo runs it.
    folder: PathBuf,
}

impl Program {
    fn is_of(&self, root: &Path, name: &str) -> bool {
        self.folder == root.join("crates").join(name)
    }

    /// Whether its file is `name` and a hash.
    fn is_named(&self, name: &str) -> bool {
        let stem = self.path.file_stem().and_then(|stem| stem.to_str());
        let rest = stem.and_then(|stem| stem.strip_prefix(name));
        rest.is_some_and(|rest| rest.starts_with('-'))
    }
}

/// The test programs of the whole workspace, built if they are not.
fn test_programs(root: &Path) -> Result<Vec<Program>, Failure> {
    let mut build = cargo(root);
    build.args(["test", "--workspace", "--locked", "--no-run"]);
    build.arg("--message-format=json-render-diagnostics");
    let messages = exec::capture(&mut build)?;
    let program = |message: &str| {
        // One message a line; a program that is no test is an artifact without `"test":true`.
        let is_test = message.contains("\"test\":true}");
        let path = text_field(message, "executable")?;
        let manifest = PathBuf::from(text_field(message, "manifest_path")?);
        is_test.then_some(Program {
            path: path.into(),
            folder: manifest.parent()?.to_owned(),
        })
    };
    Ok(messages.lines().filter_map(program).collect())
}

/// The text behind `"name":` in a line of JSON, if it is a text without escapes.
fn text_field<'a>(json: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = json.split_once(&format!("\"{name}\":\""))?;
    rest.split_once('"').map(|(text, _)| text)
}

fn cargo(root: &Path) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(root);
    command
}

/// Tests know that nobody watches, and where the models are.
fn test_environment(command: &mut Command) -> Result<&mut Command, Failure> {
    Ok(command
        .env("CI", "true")
        .env(fetch::VARIABLE, fetch::folder()?))
}

/// Where cargo builds: this program lies in its `debug` folder.
fn target_dir(root: &Path) -> PathBuf {
    let here = std::env::current_exe().ok();
    let target = here.as_deref().and_then(|path| path.ancestors().nth(2));
    target.map_or_else(|| root.join("target"), Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_chosen_by_name_and_keep_their_order() {
        assert_eq!(Step::parse_all(&[]), Ok(Step::ALL.to_vec()));
        assert_eq!(
            Step::parse_all(&["--only", "test", "--only=fmt"]),
            Ok(vec![Step::Fmt, Step::Test])
        );
        for wrong in [&["--only"] as &[_], &["--only", "lint"], &["--fast"]] {
            assert!(Step::parse_all(wrong).is_err());
        }
    }

    #[test]
    fn a_field_of_a_message_is_found() {
        let message = r#"{"reason":"x","executable":"/t/a","fresh":true}"#;
        assert_eq!(text_field(message, "executable"), Some("/t/a"));
        assert_eq!(text_field(r#"{"executable":null}"#, "executable"), None);
    }
}
