//! Safetensors files and folders made for a test.

use std::path::PathBuf;

use formats::{Bytes, Error, safetensors};
use serde_json::{Map, Value, json};

/// A tensor to write: name, type as the header spells it, shape, data.
pub(crate) type Entry<'a> = (&'a str, &'a str, &'a [usize], Vec<u8>);

/// A file of these tensors.
pub(crate) fn file(tensors: &[Entry<'_>]) -> Vec<u8> {
    let mut header = Map::new();
    let mut data = Vec::new();
    for (name, dtype, shape, bytes) in tensors {
        let offsets = [data.len(), data.len() + bytes.len()];
        let info = json!({"dtype": dtype, "shape": shape, "data_offsets": offsets});
        header.insert((*name).to_owned(), info);
        data.extend_from_slice(bytes);
    }
    with_header(&Value::Object(header).to_string(), &data)
}

/// A file of this header and data.
pub(crate) fn with_header(header: &str, data: &[u8]) -> Vec<u8> {
    let len = (header.len() as u64).to_le_bytes();
    [&len, header.as_bytes(), data].concat()
}

pub(crate) fn parse(bytes: Vec<u8>) -> Result<Vec<safetensors::SafeTensor>, Error> {
    safetensors::parse(&Bytes::from(bytes))
}

pub(crate) fn f32s(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// A folder that is removed again.
pub(crate) struct Temp(pub(crate) PathBuf);

impl Temp {
    pub(crate) fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("formats-hf-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a temporary folder");
        let folder = Self(path);
        folder.write("config.json", r#"{"model_type": "llama"}"#);
        folder
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.0.join(name), bytes).expect("room on the disk");
    }

    pub(crate) fn remove(&self, name: &str) {
        std::fs::remove_file(self.0.join(name)).expect("it is there");
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        // Nothing depends on it.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
