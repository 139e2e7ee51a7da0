//! Folders: one file or several, and every way in which they do not belong together.

use formats::hf::{Folder, read_object, read_text};
use formats::{Gguf, Metadata};
use serde_json::json;
use tensor::DType;

use crate::files::{Temp, f32s, file};

/// A folder of two files with a tensor each, and an index that says so.
fn two_files(test: &str) -> Temp {
    let temp = Temp::new(test);
    temp.write("one.safetensors", file(&[("a", "F32", &[1], f32s(&[1.0]))]));
    temp.write("two.safetensors", file(&[("b", "F32", &[1], f32s(&[2.0]))]));
    write_index(
        &temp,
        json!({"a": "one.safetensors", "b": "two.safetensors"}),
    );
    temp
}

fn write_index(temp: &Temp, map: serde_json::Value) {
    let index = json!({"metadata": {"total_size": 8}, "weight_map": map});
    temp.write("model.safetensors.index.json", index.to_string());
}

#[track_caller]
fn refused(temp: &Temp, expected: &[&str]) {
    let error = Folder::open(&temp.0)
        .expect_err("something is wrong")
        .to_string();
    for part in expected {
        assert!(error.contains(part), "`{error}` lacks `{part}`");
    }
}

#[test]
fn files_and_configurations_are_read() {
    let temp = two_files("sound");
    temp.write("generation_config.json", r#"{"top_k": 20}"#);
    let folder = Folder::open(&temp.0).expect("sound");
    assert_eq!(folder.config()["model_type"], "llama");
    assert_eq!(
        folder.generation_config().expect("it is there")["top_k"],
        20
    );
    assert_eq!(folder.files().len(), 2);
    let b = folder.weight("b").expect("it is there");
    assert_eq!(b.tensor.to_f32(), Some(vec![2.0]));
    assert!(folder.weight("c").is_none());
    let absent = temp.0.join("missing.json");
    assert_eq!(read_object(&absent).expect("absent is no error"), None);
    assert_eq!(read_text(&absent).expect("absent is no error"), None);

    // Weights are pages of the file, in the folder and in what is made of it.
    let tensor = b.to_tensor().expect("F32");
    assert!(tensor.data.is_mapped());
    let gguf = Gguf::from_parts(Metadata::new(), vec![tensor]).expect("one tensor");
    assert!(gguf.tensor("b").expect("it is there").data.is_mapped());
    assert_eq!(gguf.file_bytes(), 4);
}

#[test]
fn a_single_file_needs_no_index() {
    let temp = Temp::new("single");
    temp.write(
        "model.safetensors",
        file(&[("a", "F32", &[1], f32s(&[1.0]))]),
    );
    let folder = Folder::open(&temp.0).expect("sound");
    assert_eq!(folder.weights().len(), 1);
    assert!(folder.generation_config().is_none());
}

#[test]
fn what_is_not_there_is_named() {
    let temp = two_files("missing");
    temp.remove("two.safetensors");
    refused(&temp, &["`two.safetensors` for tensor `b`", "not there"]);
    temp.remove("model.safetensors.index.json");
    refused(&temp, &["no weights", "expected `model.safetensors`"]);
    temp.write("pytorch_model.bin", "");
    refused(&temp, &["hint: the weights are there as PyTorch files"]);
    temp.remove("config.json");
    refused(&temp, &["config.json"]);
}

#[test]
fn a_truncated_shard_is_named() {
    let temp = two_files("truncated");
    let whole = file(&[("b", "F32", &[1], f32s(&[2.0]))]);
    temp.write("two.safetensors", &whole[..whole.len() - 1]);
    refused(
        &temp,
        &[
            "two.safetensors",
            "tensor `b`",
            "data ends at",
            "incomplete",
        ],
    );
}

#[test]
fn an_index_that_lies_is_refused() {
    let temp = two_files("lies");
    write_index(
        &temp,
        json!({"a": "two.safetensors", "b": "one.safetensors"}),
    );
    refused(
        &temp,
        &[
            "tensor `a`: expected in `two.safetensors`",
            "found in `one.safetensors`",
        ],
    );
    write_index(
        &temp,
        json!({"a": "one.safetensors", "c": "one.safetensors"}),
    );
    refused(
        &temp,
        &["tensor `c`: expected in `one.safetensors`", "found nowhere"],
    );
    temp.write("two.safetensors", file(&[("a", "F32", &[1], f32s(&[2.0]))]));
    write_index(
        &temp,
        json!({"a": "one.safetensors", "b": "two.safetensors"}),
    );
    refused(
        &temp,
        &["tensor `a` is in `one.safetensors` and in `two.safetensors`"],
    );
    for name in [
        "../one.safetensors",
        "/etc/passwd",
        "",
        ".",
        "a/b",
        "./one.safetensors",
    ] {
        write_index(&temp, json!({ "a": name }));
        refused(&temp, &["tensor `a`", &format!("`{name}`"), "plain name"]);
    }
    write_index(&temp, json!({"a": 1}));
    refused(&temp, &["tensor `a`", "`1`"]);
    temp.write("model.safetensors.index.json", "{}");
    refused(&temp, &["model.safetensors.index.json", "weight_map"]);
}

#[test]
fn a_model_is_put_together_only_of_what_a_file_could_hold() {
    let tensor = |name: &str, shape: &[usize]| formats::Tensor {
        name: name.to_owned(),
        dtype: DType::F32,
        shape: shape.to_vec(),
        data: f32s(&[1.0, 2.0]).into(),
    };
    let message = |tensors| {
        let made = Gguf::from_parts(Metadata::new(), tensors);
        made.expect_err("something is wrong").to_string()
    };
    assert!(message(vec![tensor("a", &[2]), tensor("a", &[2])]).contains("`a` appears twice"));
    assert!(message(vec![tensor("a", &[3])]).contains("data has 8 bytes, expected 12"));
    assert!(message(vec![tensor("a", &[])]).contains("dimensions"));
}
