//! Files written by the `gguf` Python package (`golden/gguf/make.py`) against descriptions it wrote beside them.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use formats::{Array, Gguf, GgufWriter, Value};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden/gguf")
}

fn open(file: &str) -> Gguf {
    Gguf::open(folder().join(file)).expect("a valid file")
}

#[track_caller]
fn check(gguf: &Gguf, description: &str) {
    let expected = std::fs::read_to_string(folder().join(description)).expect("the description");
    let found = describe(gguf);
    for (number, (found, expected)) in found.lines().zip(expected.lines()).enumerate() {
        assert_eq!(found, expected, "line {} of {description}", number + 1);
    }
    assert_eq!(found.lines().count(), expected.lines().count());
}

#[test]
fn every_type_is_read_as_it_was_written() {
    let gguf = open("types.gguf");
    check(&gguf, "types.txt");
    assert_eq!(
        (gguf.version(), gguf.alignment(), gguf.paths().len()),
        (3, 32, 1)
    );
    assert_eq!(
        gguf.file_bytes(),
        std::fs::metadata(&gguf.paths()[0]).expect("there").len()
    );
    assert!(gguf.tensors().iter().all(|tensor| tensor.data.is_mapped()));
}

#[test]
fn another_alignment() {
    let gguf = open("aligned.gguf");
    check(&gguf, "aligned.txt");
    assert_eq!(gguf.alignment(), 128);
}

#[test]
fn split_files_are_one_model() {
    for part in 1..=3 {
        let gguf = open(&format!("split-0000{part}-of-00003.gguf"));
        check(&gguf, "split.txt");
        assert_eq!(gguf.paths().len(), 3);
        assert_eq!(
            gguf.tensor("blk.4").expect("in the last part").shape,
            [2, 3]
        );
    }
}

#[test]
fn version_1_is_read_and_written_as_3() {
    let path = folder().join("../models/stories260K-f32.gguf");
    let old = Gguf::open(&path).expect("a valid file");
    assert_eq!(
        (old.version(), old.metadata().len(), old.tensors().len()),
        (1, 18, 48)
    );
    let tokens: &formats::Strings = old
        .metadata()
        .require("tokenizer.ggml.tokens")
        .expect("strings");
    assert_eq!((tokens.len(), tokens.get(1)), (512, Some(&b"<s>"[..])));
    assert_eq!(
        old.tensor("token_embd.weight").expect("there").shape,
        [512, 64]
    );
    let mut writer = GgufWriter::new(old.metadata().clone()).expect("valid metadata");
    for tensor in old.tensors() {
        writer.copy_tensor(tensor).expect("a valid tensor");
    }
    let mut written = Vec::new();
    writer.write(&mut written).expect("memory takes everything");
    let new = Gguf::parse(written).expect("a valid file");
    assert_eq!(
        (new.version(), new.metadata(), new.tensors()),
        (3, old.metadata(), old.tensors())
    );
}

#[test]
fn rewriting_gives_the_same_bytes() {
    for file in ["types.gguf", "aligned.gguf"] {
        let original = std::fs::read(folder().join(file)).expect("there");
        let gguf = Gguf::parse(original.clone()).expect("a valid file");
        let mut writer = GgufWriter::new(gguf.metadata().clone()).expect("valid metadata");
        for tensor in gguf.tensors() {
            writer.copy_tensor(tensor).expect("a valid tensor");
        }
        let mut written = Vec::new();
        writer.write(&mut written).expect("memory takes everything");
        assert!(written == original, "{file}");
    }
}

/// The lines that `make.py` writes.
fn describe(gguf: &Gguf) -> String {
    let mut out = String::new();
    for (key, value) in gguf.metadata().iter() {
        let line = match value {
            Value::Array(array) => format!("[{}] {}", array.elem_type(), elements(array).join(" ")),
            value => format!("{} {}", value.value_type(), scalar(value)),
        };
        writeln!(out, "{key} {line}").expect("a string takes everything");
    }
    for tensor in gguf.tensors() {
        let data = hex(&tensor.data);
        writeln!(
            out,
            "{} {} {:?} {data}",
            tensor.name, tensor.dtype, tensor.shape
        )
        .expect("a string takes everything");
    }
    out
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => quote(text.as_bytes()),
        Value::F32(x) => hex(&x.to_be_bytes()),
        Value::F64(x) => hex(&x.to_be_bytes()),
        Value::Bool(x) => x.to_string(),
        value => value
            .to_string()
            .split(' ')
            .nth(1)
            .expect("`type number`")
            .to_owned(),
    }
}

fn elements(array: &Array) -> Vec<String> {
    fn numbers<T: ToString>(numbers: &[T]) -> Vec<String> {
        numbers.iter().map(T::to_string).collect()
    }
    match array {
        Array::U8(x) => numbers(x),
        Array::I8(x) => numbers(x),
        Array::U16(x) => numbers(x),
        Array::I16(x) => numbers(x),
        Array::U32(x) => numbers(x),
        Array::I32(x) => numbers(x),
        Array::U64(x) => numbers(x),
        Array::I64(x) => numbers(x),
        Array::Bool(x) => numbers(x),
        Array::F32(x) => x.iter().map(|x| hex(&x.to_be_bytes())).collect(),
        Array::F64(x) => x.iter().map(|x| hex(&x.to_be_bytes())).collect(),
        Array::String(x) => x.iter().map(quote).collect(),
    }
}

fn quote(bytes: &[u8]) -> String {
    format!("\"{}\"", bytes.escape_ascii())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
