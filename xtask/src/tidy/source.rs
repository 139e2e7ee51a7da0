//! Source files as the rules see them: with comments blanked, with strings blanked, tests marked.

use std::ops::Range;
use std::path::Path;
use std::process::Command;

use crate::{Failure, exec};

/// One Rust file.
pub(crate) struct Source {
    /// Path from the root, with `/`.
    pub(crate) path: String,
    /// The file.
    pub(crate) text: String,
    /// The file with every comment replaced by spaces; bytes and lines keep their places.
    pub(crate) code: String,
    /// As `code`, with the contents of strings replaced as well.
    pub(crate) bare: String,
    /// Lines of test modules inside the file.
    tests: Vec<Range<usize>>,
}

impl Source {
    /// Takes a file apart.
    pub(crate) fn new(path: &str, text: String) -> Self {
        let (code, bare) = blank(&text);
        let tests = test_modules(&bare);
        Self {
            path: path.to_owned(),
            text,
            code,
            bare,
            tests,
        }
    }

    /// The folder of the file's crate: `kernels` for `crates/kernels/src/lib.rs`.
    pub(crate) fn crate_name(&self) -> &str {
        let path = self.path.strip_prefix("crates/").unwrap_or(&self.path);
        path.split('/').next().unwrap_or(path)
    }

    /// Whether a line (from 0) belongs to tests or examples.
    pub(crate) fn is_test(&self, line: usize) -> bool {
        self.is_test_file() || self.tests.iter().any(|lines| lines.contains(&line))
    }

    /// Whether the file belongs to the tools of development, not to the product.
    pub(crate) fn is_tool(&self) -> bool {
        ["testkit", "xtask", "fuzz", "golden"].contains(&self.crate_name())
    }

    fn is_test_file(&self) -> bool {
        let in_folder = |name| self.path.split('/').any(|part| part == name);
        ["tests", "examples", "benches"].into_iter().any(in_folder)
            || self.path.ends_with("/tests.rs")
    }
}

/// Every file of the project: those git knows and new ones it does not ignore.
///
/// # Errors
/// If git cannot list them.
pub(crate) fn tracked_files(root: &Path) -> Result<Vec<String>, Failure> {
    let mut git = Command::new("git");
    git.current_dir(root);
    git.args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]);
    let listing = exec::capture(&mut git)?;
    let there = |path: &&str| !path.is_empty() && root.join(path).is_file();
    let mut files: Vec<String> = listing
        .split('\0')
        .filter(there)
        .map(str::to_owned)
        .collect();
    files.sort();
    files.dedup();
    Ok(files)
}

/// Every Rust file of the project.
///
/// # Errors
/// If one cannot be listed or read.
pub(crate) fn rust_files(root: &Path) -> Result<Vec<Source>, Failure> {
    let files = tracked_files(root)?;
    let rust = files.iter().filter(|path| path.ends_with(".rs"));
    rust.map(|path| {
        let text = std::fs::read_to_string(root.join(path));
        let text = text.map_err(|error| format!("cannot read `{path}`: {error}"))?;
        Ok(Source::new(path, text))
    })
    .collect()
}

/// What the scanner is in.
#[derive(Clone, Copy, PartialEq)]
enum State {
    Code,
    Line,
    /// Block comment, with its depth.
    Block(usize),
    Text,
    /// Raw string, with its number of `#`.
    Raw(usize),
}

/// The file without comments, and without comments and strings.
fn blank(text: &str) -> (String, String) {
    let bytes = text.as_bytes();
    let (mut code, mut bare) = (bytes.to_vec(), bytes.to_vec());
    let mut state = State::Code;
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let (taken, next) = match state {
            State::Code if rest.starts_with(b"//") => (0, State::Line),
            State::Code if rest.starts_with(b"/*") => (0, State::Block(0)),
            State::Code => code_token(bytes, at),
            State::Line if rest[0] == b'\n' => (0, State::Code),
            State::Block(depth) if rest.starts_with(b"/*") => (2, State::Block(depth + 1)),
            State::Block(depth) if rest.starts_with(b"*/") => match depth {
                0 | 1 => (2, State::Code),
                _ => (2, State::Block(depth - 1)),
            },
            State::Text if rest[0] == b'\\' => (2, State::Text),
            State::Text if rest[0] == b'"' => (1, State::Code),
            State::Raw(marks) if ends_raw(rest, marks) => (1 + marks, State::Code),
            other => (1, other),
        };
        let end = (at + taken).min(bytes.len());
        let is_comment = matches!(state, State::Line | State::Block(_));
        let is_text = matches!(state, State::Text | State::Raw(_));
        for place in at..end {
            // Strings keep their quotes: the last one comes with the change back to code.
            let blanks = bytes[place] != b'\n' && !(is_text && next == State::Code);
            if blanks && is_comment {
                code[place] = b' ';
            }
            if blanks && (is_comment || is_text) {
                bare[place] = b' ';
            }
        }
        (at, state) = (end, next);
    }
    // Whole multi-byte characters were blanked, byte for byte, so both are still UTF-8.
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (text(code), text(bare))
}

/// Length of one token of code at `at` (or a part of one), and the state behind it.
fn code_token(bytes: &[u8], at: usize) -> (usize, State) {
    let rest = &bytes[at..];
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    match rest[0] {
        b'"' => (1, State::Text),
        b'r' if at == 0 || !is_word(bytes[at - 1]) || (bytes[at - 1] == b'b') => {
            let marks = rest[1..].iter().take_while(|&&byte| byte == b'#').count();
            match rest.get(1 + marks) {
                Some(b'"') => (2 + marks, State::Raw(marks)),
                _ => (1, State::Code),
            }
        }
        // A character, or a lifetime, which has no closing quote.
        b'\'' => match rest {
            [_, b'\\', escaped, ..] => {
                let skipped = 2 + usize::from(*escaped != 0);
                let close = rest[skipped..].iter().position(|&byte| byte == b'\'');
                (skipped + close.map_or(0, |close| close + 1), State::Code)
            }
            [_, first, ..] => {
                let length = match first {
                    0..0x80 => 1,
                    0x80..0xe0 => 2,
                    0xe0..0xf0 => 3,
                    _ => 4,
                };
                match rest.get(1 + length) {
                    Some(b'\'') => (2 + length, State::Code),
                    _ => (1, State::Code),
                }
            }
            _ => (1, State::Code),
        },
        _ => (1, State::Code),
    }
}

fn ends_raw(rest: &[u8], marks: usize) -> bool {
    let hashes = rest.get(1..=marks);
    rest[0] == b'"' && hashes.is_some_and(|hashes| hashes.iter().all(|&byte| byte == b'#'))
}

/// The lines of items behind `#[cfg(test)]`, up to their closing brace.
fn test_modules(bare: &str) -> Vec<Range<usize>> {
    let attributes = bare.match_indices("#[cfg(test)]");
    let item = |(start, _): (usize, &str)| {
        let from = bare[..start].matches('\n').count();
        let end = start + item_length(&bare[start..]);
        from..bare[..end].matches('\n').count() + 1
    };
    attributes.map(item).collect()
}

/// Bytes of an item: up to the brace that closes its first one, or a `;` before any.
pub(super) fn item_length(bare: &str) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in bare.bytes().enumerate() {
        match byte {
            b';' if depth == 0 => return at + 1,
            b'{' => depth += 1,
            b'}' if depth <= 1 => return at + 1,
            b'}' => depth -= 1,
            _ => {}
        }
    }
    bare.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_are_blanked() {
        let text = concat!(
            "let a = \"x // no\"; // yes\n",
            "/* a /* b */ c */ let b = r#\"\"q\" /*\"#; 'x';\n",
            "fn f<'a>(c: char) { c == '\"' || c == '\\'' }",
        );
        let source = Source::new("src/a.rs", text.to_owned());
        assert_eq!(source.code.len(), text.len());
        assert!(source.code.starts_with("let a = \"x // no\";       \n"));
        assert!(source.bare.starts_with("let a = \"       \";"));
        let second = source.bare.lines().nth(1).expect("there are three lines");
        assert_eq!(second.trim(), "let b = r#\"      \"#; 'x';");
        assert_eq!(source.code.lines().nth(2), text.lines().nth(2));
    }

    #[test]
    fn test_modules_are_known_by_their_lines() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n  fn b() {}\n}\nfn c() {}\n";
        let source = Source::new("crates/x/src/a.rs", text.to_owned());
        let tests: Vec<bool> = (0..6).map(|line| source.is_test(line)).collect();
        assert_eq!(tests, [false, true, true, true, true, false]);
        assert_eq!(source.crate_name(), "x");
    }
}
