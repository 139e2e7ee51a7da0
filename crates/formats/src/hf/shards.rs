//! The files with a folder's weights: one, or several that an index lists.
//!
//! The index says for each tensor which file it is in.
//! Tensors in a file that the index does not mention are taken too, as the reference
//! does (`modeling_utils.py` of <https://github.com/huggingface/transformers>).

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{FolderError, json};
use crate::error::in_file;
use crate::safetensors::{self, SafeTensor};
use crate::{Bytes, Error};

const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// All weights of a folder.
pub(super) struct Shards {
    pub(super) files: Vec<PathBuf>,
    /// Length of all files.
    pub(super) bytes: u64,
    /// Each name once.
    pub(super) tensors: Vec<SafeTensor>,
}

/// Opens the weights of a folder.
pub(super) fn open(folder: &Path) -> Result<Shards, Error> {
    let index = folder.join(INDEX);
    let single = folder.join(SINGLE);
    if single.is_file() {
        let (bytes, tensors) = open_one(&single)?;
        return Ok(Shards {
            files: vec![single],
            bytes,
            tensors,
        });
    }
    match json::read(&index)? {
        Some(bytes) => open_all(folder, &index, &read_index(&index, &bytes)?),
        None => Err(no_weights(folder)),
    }
}

fn open_one(path: &Path) -> Result<(u64, Vec<SafeTensor>), Error> {
    let bytes = Bytes::map(path).map_err(|error| Error::Open {
        path: path.to_owned(),
        error,
    })?;
    let tensors = safetensors::parse(&bytes).map_err(|error| in_file(path, error))?;
    Ok((bytes.len() as u64, tensors))
}

/// Tensors and their files, in the order of the index.
fn read_index(path: &Path, bytes: &[u8]) -> Result<Map<String, Value>, Error> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: Map<String, Value>,
    }
    let index: Index = serde_json::from_slice(bytes).map_err(|error| FolderError::Json {
        path: path.to_owned(),
        expected: "an object with `weight_map`",
        error,
    })?;
    Ok(index.weight_map)
}

fn open_all(folder: &Path, index: &Path, listed: &Map<String, Value>) -> Result<Shards, Error> {
    let mut all = Shards {
        files: Vec::new(),
        bytes: 0,
        tensors: Vec::new(),
    };
    // The names of the files, and where each tensor is.
    let mut opened: Vec<String> = Vec::new();
    let mut found: HashMap<String, usize> = HashMap::new();
    for (tensor, shard) in listed {
        let shard = shard_name(index, tensor, shard)?;
        if opened.iter().any(|name| name == shard) {
            continue;
        }
        let path = folder.join(shard);
        let (bytes, tensors) = open_one(&path).map_err(|error| match error {
            Error::Open { error, .. } if error.kind() == ErrorKind::NotFound => {
                Error::Folder(FolderError::ShardMissing {
                    index: index.to_owned(),
                    shard: shard.to_owned(),
                    tensor: tensor.clone(),
                })
            }
            error => error,
        })?;
        for tensor in &tensors {
            if let Some(first) = found.insert(tensor.name.clone(), opened.len()) {
                return Err(Error::Folder(FolderError::TwoShards {
                    tensor: tensor.name.clone(),
                    first: opened[first].clone(),
                    second: shard.to_owned(),
                }));
            }
        }
        opened.push(shard.to_owned());
        all.files.push(path);
        all.bytes += bytes;
        all.tensors.extend(tensors);
    }
    check_places(index, listed, &opened, &found)?;
    Ok(all)
}

/// Every tensor is where the index says.
fn check_places(
    index: &Path,
    listed: &Map<String, Value>,
    opened: &[String],
    found: &HashMap<String, usize>,
) -> Result<(), Error> {
    for (tensor, shard) in listed {
        let expected = shard_name(index, tensor, shard)?;
        let found = found.get(tensor).map(|&at| &opened[at]);
        if found.is_none_or(|found| found != expected) {
            return Err(Error::Folder(FolderError::WrongShard {
                tensor: tensor.clone(),
                index: index.to_owned(),
                expected: expected.to_owned(),
                found: found.cloned(),
            }));
        }
    }
    Ok(())
}

/// The name of a file in the folder itself, nowhere else.
fn shard_name<'a>(index: &Path, tensor: &str, shard: &'a Value) -> Result<&'a str, Error> {
    let plain = |name: &&str| {
        let mut parts = Path::new(name).components();
        matches!(parts.next(), Some(Component::Normal(part)) if part == *name)
            && parts.next().is_none()
    };
    shard.as_str().filter(plain).ok_or_else(|| {
        Error::Folder(FolderError::ShardName {
            index: index.to_owned(),
            tensor: tensor.to_owned(),
            found: shard
                .as_str()
                .map_or_else(|| shard.to_string(), str::to_owned),
        })
    })
}

fn no_weights(folder: &Path) -> Error {
    let is_there = |name: &str| folder.join(name).exists();
    let hint = if is_there("pytorch_model.bin") || is_there("pytorch_model.bin.index.json") {
        "\nhint: the weights are there as PyTorch files, which can run code; look for a repository with safetensors"
    } else if is_there("adapter_model.safetensors") {
        "\nhint: this is an adapter; the model it belongs to is named in `adapter_config.json`"
    } else {
        ""
    };
    Error::Folder(FolderError::NoWeights {
        folder: folder.to_owned(),
        hint,
    })
}
