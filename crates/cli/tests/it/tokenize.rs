//! `ingle tokenize`, against llama.cpp's own cases.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::support::{folder, golden, ingle, model, outcome, piped};

/// A vocabulary of the golden files, unpacked into `home`.
pub(crate) fn vocabulary(home: &Path, name: &str) -> PathBuf {
    let packed = std::fs::read(golden(&format!("vocab/{name}.gguf.gz"))).expect("it is there");
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(packed.as_slice())
        .read_to_end(&mut bytes)
        .expect("it is gzip");
    let path = home.join(format!("{name}.gguf"));
    std::fs::write(&path, bytes).expect("writable");
    path
}

#[test]
fn ids_are_those_of_llama_cpp() {
    let home = folder("tokenize_cases");
    let path = vocabulary(&home, "llama-spm").display().to_string();
    let read = |name: &str| std::fs::read_to_string(golden(name)).expect("it is there");
    let (texts, ids) = (read("vocab/cases.inp"), read("vocab/llama-spm.out"));
    let texts = texts.split_terminator("\n__ggml_vocab_test__\n");
    let args = [
        "tokenize",
        &path,
        "-",
        "--json",
        "--no-add-special",
        "--no-parse-special",
    ];
    for (text, ids) in texts.zip(ids.lines()) {
        let expected: Vec<u64> = ids
            .split_whitespace()
            .map(|id| id.parse().expect("a number"))
            .collect();
        let found = piped(&mut ingle(&home, &args), text.as_bytes()).json();
        assert_eq!(found, serde_json::json!(expected), "{text:?}");
    }
}

#[test]
fn pieces_stand_one_a_line() {
    let home = folder("tokenize_pieces");
    let path = vocabulary(&home, "llama-bpe").display().to_string();
    let text = outcome(&mut ingle(&home, &["tokenize", &path, "Hi there\n"])).text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "128000 -> '<|begin_of_text|>'");
    assert!(
        lines.contains(&"  1070 -> ' there'") || text.contains("' there'"),
        "{text}"
    );
    assert!(
        lines.last().is_some_and(|line| line.ends_with("'\\n'")),
        "{text}"
    );
}

#[test]
fn flags_and_sources_of_text() {
    let home = folder("tokenize_flags");
    let path = vocabulary(&home, "llama-bpe").display().to_string();
    let ids = |args: &[&str], input: &[u8]| {
        let args = [&["tokenize", &path, "--json"], args].concat();
        piped(&mut ingle(&home, &args), input).json().to_string()
    };
    assert_eq!(ids(&["hi"], b""), "[128000,6151]");
    assert_eq!(ids(&["hi", "--no-add-special"], b""), "[6151]");
    assert_eq!(
        ids(&["--no-add-special"], b"hi"),
        "[6151]",
        "a pipe is read without `-`"
    );
    assert_ne!(
        ids(&["-"], b"hi\n"),
        ids(&["-"], b"hi"),
        "no newline is lost"
    );
    let special = "<|eot_id|>";
    assert_eq!(ids(&["--no-add-special", special], b""), "[128009]");
    assert_ne!(
        ids(&["--no-add-special", "--no-parse-special", special], b""),
        "[128009]"
    );
    assert_eq!(
        ids(&["--", "-1"], b""),
        ids(&["-1"], b""),
        "a text may begin with a hyphen"
    );
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let home = folder("tokenize_bytes");
    let message = piped(&mut ingle(&home, &["tokenize", &model(), "-"]), b"ab\xff").failure(1);
    assert!(
        message.contains("UTF-8") && message.contains("offset 2"),
        "{message}"
    );
}
