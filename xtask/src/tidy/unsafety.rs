//! Where `unsafe` may stand, and how much of it there is.

use super::source::{Source, item_length};

/// The files that may hold it.
const ALLOWED: &[&str] = &[
    "crates/formats/src/mmap.rs",
    "crates/kernels/src/isa/",
    "crates/kernels/src/pool.rs",
];

/// Crates that hold such a file; all others forbid `unsafe` to the compiler.
const CRATES: &[&str] = &["formats", "kernels"];

/// Lines inside of unsafe blocks, functions and implementations.
pub(super) const MAX_LINES: usize = 2000;

/// What is unsafe elsewhere, crates that do not forbid it, and too much of it.
pub(super) fn check(sources: &[Source]) -> Vec<String> {
    let mut broken = Vec::new();
    for source in sources {
        let path = &source.path;
        let is_root = path.ends_with("/src/lib.rs") || path.ends_with("/src/main.rs");
        let forbids = source.bare.contains("#![forbid(unsafe_code)]");
        if is_root && !forbids && !CRATES.contains(&source.crate_name()) {
            broken.push(format!("{path}: `#![forbid(unsafe_code)]` is missing"));
        }
        if ALLOWED.iter().any(|allowed| path.starts_with(allowed)) {
            continue;
        }
        for at in unsafe_words(&source.bare) {
            let line = source.bare[..at].matches('\n').count() + 1;
            broken.push(format!("{path}:{line}: `unsafe` is not for this file"));
        }
    }
    let lines = count(sources);
    if lines > MAX_LINES {
        broken.push(format!(
            "{lines} lines are unsafe, at most {MAX_LINES} may be"
        ));
    }
    broken
}

/// Lines of unsafe code, from the word to its closing brace.
pub(super) fn count(sources: &[Source]) -> usize {
    sources.iter().map(|source| count_in(&source.bare)).sum()
}

fn count_in(bare: &str) -> usize {
    let mut lines = 0;
    let mut counted_to = 0;
    for at in unsafe_words(bare) {
        let end = at + item_length(&bare[at..]);
        // An unsafe block in an unsafe function counts once.
        let start = at.max(counted_to);
        if end > start {
            lines += bare[start..end].matches('\n').count() + usize::from(start == at);
            counted_to = end;
        }
    }
    lines
}

/// Where the keyword stands; `forbid(unsafe_code)` and the like are other words.
fn unsafe_words(bare: &str) -> impl Iterator<Item = usize> {
    let is_word = |byte: Option<u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
    let byte = move |at: usize| bare.as_bytes().get(at).copied();
    bare.match_indices("unsafe")
        .map(|(at, _)| at)
        .filter(move |&at| {
            !is_word(at.checked_sub(1).and_then(byte)) && !is_word(byte(at + "unsafe".len()))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source::new(path, text.to_owned())
    }

    #[test]
    fn lines_are_counted_once() {
        let text = "unsafe fn f() {\n  unsafe {\n    g();\n  }\n}\nfn h() { unsafe { g() } }\n// unsafe {\n";
        assert_eq!(count(&[source("crates/kernels/src/pool.rs", text)]), 6);
        assert_eq!(count(&[source("a.rs", "unsafe impl Send for A {}\n")]), 1);
    }

    #[test]
    fn unsafe_stays_in_its_files() {
        let text = "fn f() { unsafe { g() } }";
        assert!(check(&[source("crates/kernels/src/isa/avx2.rs", text)]).is_empty());
        assert_eq!(
            check(&[source("crates/kernels/src/rope.rs", text)]).len(),
            1
        );
        assert_eq!(
            check(&[source("crates/engine/src/lib.rs", "//! unsafe")]).len(),
            1
        );
        let forbidding = "#![forbid(unsafe_code)]\nconst A: &str = \"unsafe {\";";
        assert!(check(&[source("crates/engine/src/lib.rs", forbidding)]).is_empty());
    }
}
