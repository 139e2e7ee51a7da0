//! ingle against llama.cpp in one command: builds, brings a model, and leaves the turns to Python.
//!
//! The peer is called through `ctypes` (`golden/bench/llama_bench.py`), so the turns, the medians and
//! the table are Python's too: `golden/bench/compare.py`, whose arguments these are.

use std::path::Path;
use std::process::Command;

use crate::{Failure, exec, fetch};

/// Builds the program and compares; `rest` are models (`smollm2`, files, `PRESET/QUANT`) and flags.
///
/// # Errors
/// If the build, the model or the comparison fails.
pub(crate) fn run(root: &Path, rest: &[&str]) -> Result<(), Failure> {
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--release", "--locked", "-p", "cli"]);
    exec::stream(build.current_dir(root))?;
    let program = target(root)
        .join("release/ingle")
        .with_extension(std::env::consts::EXE_EXTENSION);
    let folder = fetch::folder()?;
    let mut compare = Command::new("python3");
    compare.arg(root.join("golden/bench/compare.py"));
    compare.arg("--ingle").arg(program);
    compare.arg("--models").arg(&folder);
    let mut num_models = 0;
    let mut is_value = false;
    for &argument in rest {
        let is_model = !is_value && !argument.starts_with('-');
        num_models += usize::from(is_model);
        match fetch::file(argument).filter(|_| is_model) {
            Some(file) => compare.arg(fetch::run(&[argument])?.join(file)),
            None => compare.arg(argument),
        };
        // Every flag of the script has a value, after it or after `=`.
        is_value = argument.starts_with('-') && !argument.contains('=');
    }
    if num_models == 0 {
        for name in fetch::names() {
            let folder = fetch::run(&[name])?;
            compare.args(fetch::file(name).map(|file| folder.join(file)));
        }
    }
    exec::stream(&mut compare)
}

/// Where cargo builds to.
fn target(root: &Path) -> std::path::PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => root.join(folder),
        None => root.join("target"),
    }
}
