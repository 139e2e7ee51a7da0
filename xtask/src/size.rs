//! Lines per crate: what there is to read, and to keep.

use std::collections::BTreeMap;
use std::path::Path;

use crate::Failure;
use crate::tidy::source::{self, Source};

/// Lines of one crate.
#[derive(Default)]
struct Lines {
    code: usize,
    /// Comments and documentation.
    comments: usize,
    tests: usize,
    files: usize,
}

/// Prints a table: lines of code, of comments and of tests (blank lines count nowhere).
///
/// # Errors
/// If the files cannot be listed or read.
pub(crate) fn run(root: &Path) -> Result<(), Failure> {
    let mut crates: BTreeMap<String, Lines> = BTreeMap::new();
    for source in source::rust_files(root)? {
        let lines = crates.entry(source.crate_name().to_owned()).or_default();
        lines.files += 1;
        count(&source, lines);
    }
    println!(
        "{:<10} {:>7} {:>9} {:>7} {:>6}",
        "crate", "code", "comments", "tests", "files"
    );
    let mut total = Lines::default();
    for (name, lines) in &crates {
        print(name, lines);
        total.code += lines.code;
        total.comments += lines.comments;
        total.tests += lines.tests;
        total.files += lines.files;
    }
    print("total", &total);
    Ok(())
}

fn count(source: &Source, lines: &mut Lines) {
    for (number, (raw, code)) in source.text.lines().zip(source.code.lines()).enumerate() {
        match (raw.trim().is_empty(), code.trim().is_empty()) {
            (true, _) => {}
            _ if source.is_test(number) => lines.tests += 1,
            (false, true) => lines.comments += 1,
            (false, false) => lines.code += 1,
        }
    }
}

fn print(name: &str, lines: &Lines) {
    let Lines {
        code,
        comments,
        tests,
        files,
    } = lines;
    println!("{name:<10} {code:>7} {comments:>9} {tests:>7} {files:>6}");
}
