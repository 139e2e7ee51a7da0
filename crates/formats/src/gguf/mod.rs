//! GGUF, the model file of ggml and llama.cpp: versions 1 to 3, little-endian.
//!
//! ```text
//! header   "GGUF"  version u32  n_tensors u64  n_kv u64
//! n_kv ×       key string   type u32   value
//! n_tensors ×  name string  n_dims u32  dims u64 × n_dims (innermost first)  dtype u32  offset u64
//! padding to a multiple of `general.alignment` (32 if absent)
//! data: each tensor at its offset from here, padded to the alignment, in the order above
//! ```
//! A string is its length as u64 and that many bytes. An array is its element type u32, its length u64 and the
//! elements. Source: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.
//!
//! Version 1 has u32 for every u64 above but the offsets. It is read because the test model stories260K
//! comes as version 1; it is never written.
//!
//! Refused: big-endian files, arrays of arrays (llama.cpp refuses them too), and
//! tensor data with gaps or overlaps (likewise). Strings inside values are kept as the bytes they are.

mod cursor;
mod get;

mod metadata;
mod read;
mod split;
mod text;
mod value;
mod write;

use std::path::{Path, PathBuf};

use tensor::DType;

use crate::error::{in_file, in_tensor};
use crate::name_index::NameIndex;
use crate::{Bytes, Error};

pub use self::get::{FromScalar, FromValue};
pub use self::metadata::Metadata;
pub use self::split::part_name;
pub use self::text::{Strings, Text};
pub use self::value::{Array, Scalar, Value, ValueType};
pub use self::write::GgufWriter;

/// Alignment of tensor data where `general.alignment` does not say otherwise, in bytes.
pub const DEFAULT_ALIGNMENT: u32 = 32;
/// Largest `general.alignment` that is believed, in bytes.
pub const MAX_ALIGNMENT: u32 = 1 << 20;
/// Longest metadata key, in bytes.
pub const MAX_KEY_BYTES: u64 = u16::MAX as u64;
/// Longest tensor name, in bytes (ggml stores it in 64 with a final zero).
pub const MAX_NAME_BYTES: u64 = 63;
/// Longest single string in a value, in bytes.
pub const MAX_STRING_BYTES: u64 = 64 << 20;
/// Most dimensions of a tensor.
pub const MAX_DIMS: u32 = 4;

/// A model file, or all files of a split model: metadata and tensors.
#[derive(Debug, Clone)]
pub struct Gguf {
    version: u32,
    alignment: u32,
    metadata: Metadata,
    tensors: Vec<Tensor>,
    index: NameIndex,
    paths: Vec<PathBuf>,
    file_bytes: u64,
}

/// A named array of numbers in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// Name, unique in the model: `blk.0.attn_q.weight`.
    pub name: String,
    /// Element type.
    pub dtype: DType,
    /// Dimensions, outermost first, the last one contiguous: a weight matrix is `[out, in]`.
    pub shape: Vec<usize>,
    /// The elements as they lie in the file; exactly as long as `dtype` and `shape` say.
    pub data: Bytes,
}

impl Tensor {
    /// Number of elements, the product of the shape.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there are no elements (some dimension is 0).
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }
}

impl Gguf {
    /// Maps a file and reads its metadata and tensor index; with a part of a split model, all parts.
    ///
    /// Any part can be named; the others are looked for beside it under the name that llama.cpp gives them,
    /// `NAME-00001-of-00003.gguf`. The metadata is that of the first part.
    ///
    /// Errors: everything an [`Error`] says, with the path of the file it was found in.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        split::open(path.as_ref())
    }

    /// Reads one file that is in memory already. A part of a split model stays alone.
    pub fn parse(bytes: impl Into<Bytes>) -> Result<Self, Error> {
        read::read(&bytes.into())
    }

    /// A model put together in memory, of tensors that may lie in files of another format.
    ///
    /// It says to be of version 3, has no [`paths`](Self::paths), and [`file_bytes`](Self::file_bytes) is the
    /// length of all data.
    ///
    /// Errors: two tensors of one name, a shape that a file could not have, or [`Error::DataLength`].
    pub fn from_parts(metadata: Metadata, tensors: Vec<Tensor>) -> Result<Self, Error> {
        let mut file_bytes = 0;
        for tensor in &tensors {
            let dims = write::dims(tensor.dtype, &tensor.shape, tensor.data.len());
            dims.map_err(|error| in_tensor(&tensor.name, error))?;
            file_bytes += tensor.data.len() as u64;
        }
        let index = read::index(&tensors)?;
        Ok(Self {
            version: 3,
            alignment: read::alignment(&metadata)?,
            metadata,
            tensors,
            index,
            paths: Vec::new(),
            file_bytes,
        })
    }

    /// The metadata and the tensors, for a model with other ones in their place.
    pub fn into_parts(self) -> (Metadata, Vec<Tensor>) {
        (self.metadata, self.tensors)
    }

    /// The metadata, in file order.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The tensor of this name.
    pub fn tensor(&self, name: &str) -> Option<&Tensor> {
        let at = self.index.find(name, |i| self.tensors[i].name.as_str())?;
        Some(&self.tensors[at])
    }

    /// All tensors, in file order.
    pub fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    /// The GGUF version in the header (of the first part): 1 to 3.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Alignment of tensor data in the file (the first part), in bytes.
    pub fn alignment(&self) -> u32 {
        self.alignment
    }

    /// The files, in the order of the parts; empty if the model was read from memory.
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// Length of all files together, in bytes.
    pub fn file_bytes(&self) -> u64 {
        self.file_bytes
    }
}

/// One file, without following a split.
fn open_one(path: &Path) -> Result<Gguf, Error> {
    let bytes = Bytes::map(path).map_err(|error| Error::Open {
        path: path.to_owned(),
        error,
    })?;
    let mut gguf = read::read(&bytes).map_err(|error| in_file(path, error))?;
    gguf.paths.push(path.to_owned());
    Ok(gguf)
}
