//! What every file keeps to: its length, its first lines, and what it must not hold.

use std::fs;
use std::path::Path;

use super::source::Source;

/// Lines of a Rust file.
const MAX_LINES: usize = 600;

/// Files that may be longer, and why.
const LONG: &[(&str, &str)] = &[];

/// Lines of the map of the code.
const MAX_ARCHITECTURE: usize = 360;

/// What code must not call: for the eyes of its author only.
const NEVER: &[&str] = &["dbg!", "todo!", "unimplemented!"];

/// What only programs may call; a library leaves the terminal alone.
const PRINTS: &[&str] = &["println!", "eprintln!", "print!", "eprint!"];

/// What ties a file to one machine, or to one supplier of packages.
const NOT_OURS: &[&str] = &[
    "/work/",
    "/root/",
    "/home/",
    "crates.io",
    "pypi.org",
    "pythonhosted.org",
    "npmjs",
    "hf-mirror",
];

/// The only crate that knows a host of models.
const MODEL_HOST: (&str, &str) = ("huggingface.co", "crates/hub/");

/// Files that hold such a text and may: what they are about.
const HOST_EXCEPTIONS: &[(&str, &str)] = &[
    ("Cargo.lock", "cargo writes the registry into it"),
    ("fuzz/Cargo.lock", "cargo writes the registry into it"),
    ("xtask/src/tidy/files.rs", "this table"),
];

/// Rules for Rust files.
pub(super) fn check_sources(sources: &[Source]) -> Vec<String> {
    let mut broken = Vec::new();
    for source in sources {
        let path = &source.path;
        let lines = source.text.lines().count();
        if lines > MAX_LINES && !LONG.iter().any(|(file, _)| file == path) {
            broken.push(format!(
                "{path}: {lines} lines, at most {MAX_LINES} are allowed"
            ));
        }
        if !source.text.trim_start().starts_with("//!") {
            broken.push(format!(
                "{path}: no module documentation (`//! …`) at the top"
            ));
        }
        for (number, line) in source.bare.lines().enumerate() {
            // A build script tells cargo what it needs that way.
            let prints_freely = source.crate_name() == "cli"
                || source.is_tool()
                || source.is_test(number)
                || path.ends_with("/build.rs");
            let called = NEVER.iter().chain(PRINTS.iter().filter(|_| !prints_freely));
            for name in called.filter(|name| calls(line, name)) {
                let line = number + 1;
                broken.push(format!("{path}:{line}: `{name}` does not belong here"));
            }
        }
    }
    broken
}

/// Rules for every file.
pub(super) fn check_all(root: &Path, files: &[String]) -> Vec<String> {
    let mut broken = Vec::new();
    for path in files {
        let Ok(bytes) = fs::read(root.join(path)) else {
            broken.push(format!("{path}: cannot be read"));
            continue;
        };
        let text = String::from_utf8_lossy(&bytes);
        let is_exception = HOST_EXCEPTIONS.iter().any(|(file, _)| file == path);
        for (number, line) in text.lines().enumerate() {
            let (host, its_crate) = MODEL_HOST;
            let of_elsewhere =
                (line.contains(host) && is_rust_source(path) && !path.starts_with(its_crate))
                    .then_some(host);
            let not_ours = NOT_OURS.iter().copied().find(|text| line.contains(text));
            if let Some(found) = not_ours.or(of_elsewhere).filter(|_| !is_exception) {
                broken.push(format!(
                    "{path}:{}: `{found}` does not belong here",
                    number + 1
                ));
            }
        }
        if path == "ARCHITECTURE.md" && text.lines().count() > MAX_ARCHITECTURE {
            broken.push(format!("{path}: more than {MAX_ARCHITECTURE} lines"));
        }
    }
    broken
}

fn is_rust_source(path: &str) -> bool {
    path.ends_with(".rs") && !path.contains("/tests/")
}

/// Whether `line` calls the macro: `print!` but not `eprint!` or `my_print!`.
fn calls(line: &str, name: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    line.match_indices(name)
        .any(|(at, _)| at == 0 || !is_word(line.as_bytes()[at - 1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken_by(path: &str, text: &str) -> Vec<String> {
        check_sources(&[Source::new(path, format!("//! Docs.\n{text}"))])
    }

    #[test]
    fn libraries_do_not_print() {
        let text = "fn f() { println!(\"x\") }";
        assert_eq!(broken_by("crates/hub/src/a.rs", text).len(), 1);
        assert!(broken_by("crates/cli/src/a.rs", text).is_empty());
        assert!(broken_by("crates/hub/src/a.rs", "fn f() { s(\"println!\") } // dbg!").is_empty());
        assert_eq!(
            broken_by("crates/cli/src/a.rs", "fn f() { todo!() }").len(),
            1
        );
    }

    #[test]
    fn files_are_short_and_documented() {
        assert_eq!(
            broken_by("crates/hub/src/a.rs", &"\n".repeat(MAX_LINES)).len(),
            1
        );
        let bare = Source::new("crates/hub/src/a.rs", "fn f() {}".to_owned());
        assert_eq!(check_sources(&[bare]).len(), 1);
    }
}
