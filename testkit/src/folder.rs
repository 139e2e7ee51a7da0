//! Models as Hugging Face has them: folders made for a test, gone at its end.

use std::path::{Path, PathBuf};

use formats::safetensors::{self, SafeTensor};
use serde_json::{Map, Value, json};

use crate::golden;

/// A folder in the system's temporary one.
#[derive(Debug)]
pub struct ModelFolder(PathBuf);

impl ModelFolder {
    /// An empty one.
    pub fn empty(test: &str) -> Self {
        let name = format!("ingle-folder-{test}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self(path)
    }

    /// A small random model of `golden/arch`, without a tokenizer.
    pub fn golden(test: &str, name: &str) -> Self {
        let folder = Self::empty(test);
        for file in ["config.json", "model.safetensors"] {
            folder.write(file, golden::bytes(&format!("arch/{name}/{file}")));
        }
        folder
    }

    /// A Llama with random weights and 48 tokens: letters, a space, and what begins and ends a text.
    pub fn llama(test: &str) -> Self {
        let folder = Self::golden(test, "llama");
        let special = |id: u32, text: &str| json!({"id": id, "content": text, "special": true});
        let [begin, end] = [special(1, "<s>"), special(2, "</s>")];
        let tokenizer = json!({
            "added_tokens": [special(0, "<unk>"), begin, end],
            "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
            "decoder": {"type": "ByteLevel"},
            "model": {"type": "BPE", "vocab": vocab(), "merges": ["Ġ a", "t h", "th e"]}
        });
        folder.json("tokenizer.json", &tokenizer);
        let config = json!({"bos_token": "<s>", "eos_token": "</s>", "add_bos_token": true});
        folder.json("tokenizer_config.json", &config);
        folder
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The same as text.
    pub fn name(&self) -> &str {
        self.0.to_str().expect("a path in UTF-8")
    }

    /// Puts a file into it.
    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        let path = self.0.join(name);
        std::fs::write(&path, contents)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// Puts a file of JSON into it.
    pub fn json(&self, name: &str, value: &Value) {
        self.write(name, value.to_string());
    }

    /// Changes `config.json`.
    pub fn change_config(&self, change: impl FnOnce(&mut Map<String, Value>)) {
        let text = std::fs::read(self.0.join("config.json")).expect("a config");
        let mut config: Map<String, Value> = serde_json::from_slice(&text).expect("an object");
        change(&mut config);
        self.json("config.json", &config.into());
    }

    /// Changes the weights, which are in one file.
    pub fn change_weights(&self, change: impl FnOnce(&mut Vec<SafeTensor>)) {
        let file = std::fs::read(self.0.join("model.safetensors")).expect("weights");
        let mut tensors = safetensors::parse(&file.into()).expect("sound weights");
        change(&mut tensors);
        self.write("model.safetensors", file_of(&tensors));
    }

    /// Takes a file out of it.
    pub fn remove(&self, name: &str) {
        std::fs::remove_file(self.0.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

impl Drop for ModelFolder {
    fn drop(&mut self) {
        // What cannot be removed is the system's to clean up.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A file of these tensors.
fn file_of(tensors: &[SafeTensor]) -> Vec<u8> {
    let (mut header, mut data) = (Map::new(), Vec::new());
    for SafeTensor {
        name,
        dtype,
        shape,
        data: bytes,
    } in tensors
    {
        let start = data.len();
        data.extend_from_slice(bytes);
        let entry =
            json!({"dtype": dtype.name(), "shape": shape, "data_offsets": [start, data.len()]});
        header.insert(name.clone(), entry);
    }
    let mut header = Value::from(header).to_string();
    header += &" ".repeat(header.len().next_multiple_of(8) - header.len());
    let len = header.len() as u64;
    [&len.to_le_bytes(), header.as_bytes(), &data].concat()
}

/// Tokens and ids.
fn vocab() -> Value {
    let letters = ('a'..='z').map(String::from);
    let others = ["Ġ", "Ċ", ".", ",", "Ġa", "th", "the", "-", "'"].map(String::from);
    let digits = ('0'..='9').map(String::from);
    let tokens = letters.chain(others).chain(digits).zip(3..);
    tokens.map(|(token, id)| (token, json!(id))).collect()
}
