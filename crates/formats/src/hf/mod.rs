//! A model's folder as Hugging Face has it: `config.json`, weights in safetensors files, and texts beside them.
//!
//! ```text
//! config.json                        what the model is
//! generation_config.json             how to sample, if it is there
//! model.safetensors                  all weights, or else
//! model.safetensors.index.json       {"weight_map": {TENSOR: FILE}} and the files it names
//! ```
//! Weights of 8-bit floats have their scales in tensors beside them; [`Folder`] brings the two together
//! ([`fp8`], `mxfp4`). What keys and tensors mean is for `model` to say, what tokenizer files mean for `engine`.

mod error;
pub mod fp8;
mod json;
mod mxfp4;
mod shards;

use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use self::fp8::Scale;
use crate::name_index::NameIndex;
use crate::safetensors::SafeTensor;
use crate::{Error, Tensor};

pub use self::error::FolderError;

/// Most bytes of a file of text that are read: a tokenizer of a million tokens has less.
pub const MAX_TEXT: u64 = 256 << 20;
/// The file that says what the model is.
pub const CONFIG: &str = "config.json";
/// The file that says how to sample.
pub const GENERATION: &str = "generation_config.json";

/// A folder with a model: its configuration, and its weights, mapped.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
    config: Map<String, Value>,
    generation: Option<Map<String, Value>>,
    files: Vec<PathBuf>,
    file_bytes: u64,
    weights: Vec<Weight>,
    index: NameIndex,
}

/// A tensor of a folder, with the scales that belong to it.
#[derive(Debug, Clone)]
pub struct Weight {
    /// As it lies in its file.
    pub tensor: SafeTensor,
    /// What its elements are multiplied by; 8-bit floats only.
    pub scale: Option<Scale>,
    /// Exponents of its blocks; 4-bit floats only.
    pub exponents: Option<SafeTensor>,
}

impl Weight {
    /// The tensor with a type that GGUF has too: shared as it lies, or 8-bit floats as BF16 and 4-bit floats as MXFP4 in
    /// new memory.
    ///
    /// Errors: [`Error::NoDType`] for other types, [`FolderError::Scale`].
    pub fn to_tensor(&self) -> Result<Tensor, Error> {
        if let Some(exponents) = &self.exponents {
            return mxfp4::to_tensor(&self.tensor, exponents);
        }
        match fp8::to_bf16(self) {
            Some(data) => Ok(Tensor {
                name: self.tensor.name.clone(),
                dtype: tensor::DType::BF16,
                shape: self.tensor.shape.clone(),
                data: data?.into(),
            }),
            None => self.tensor.to_tensor(),
        }
    }
}

impl Folder {
    /// Reads the configuration and maps the weights of the folder at `path`.
    ///
    /// Errors: [`Error::Open`] and [`Error::InFile`] with the path of the file, and [`FolderError`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let Some(config) = read_object(&path.join(CONFIG))? else {
            return Err(Error::Open {
                path: path.join(CONFIG),
                error: io::ErrorKind::NotFound.into(),
            });
        };
        let generation = read_object(&path.join(GENERATION))?;
        let shards = shards::open(path)?;
        let weights = fp8::join(shards.tensors, &config, &path.join(CONFIG))?;
        let weights = mxfp4::join(weights);
        let index = NameIndex::new(weights.len(), |i| weights[i].tensor.name.as_str())
            .expect("names were compared when the files were put together");
        Ok(Self {
            path: path.to_owned(),
            config,
            generation,
            files: shards.files,
            file_bytes: shards.bytes,
            weights,
            index,
        })
    }

    /// Where the folder is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The contents of `config.json`.
    pub fn config(&self) -> &Map<String, Value> {
        &self.config
    }

    /// The contents of `generation_config.json`, if it is there.
    pub fn generation_config(&self) -> Option<&Map<String, Value>> {
        self.generation.as_ref()
    }

    /// The tensor of this name.
    pub fn weight(&self, name: &str) -> Option<&Weight> {
        let at = self
            .index
            .find(name, |i| self.weights[i].tensor.name.as_str())?;
        Some(&self.weights[at])
    }

    /// All tensors but scales, file by file in the order in which they lie.
    pub fn weights(&self) -> &[Weight] {
        &self.weights
    }

    /// The files with weights.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Length of the files with weights together, in bytes.
    pub fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// Whether there is something at `path` that [`open`](Self::open) would take for a model.
    pub fn is_at(path: &Path) -> bool {
        path.join(CONFIG).is_file()
    }
}

/// The object in a JSON file; `None` if there is no such file.
///
/// Errors: [`Error::Open`] if it cannot be read, [`FolderError::TooLong`] beyond [`MAX_TEXT`],
/// [`FolderError::Json`].
pub fn read_object(path: &Path) -> Result<Option<Map<String, Value>>, Error> {
    read_text(path)?
        .map(|bytes| json::object(path, &bytes))
        .transpose()
}

/// The bytes of a file of text; `None` if there is no such file.
///
/// Errors: as [`read_object`].
pub fn read_text(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    json::read(path)
}
