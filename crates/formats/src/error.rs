//! What can be wrong with a model file.

use std::io;
use std::path::{Path, PathBuf};

use tensor::DType;

use crate::hf::FolderError;
use crate::safetensors::SafeDType;

/// Why a file cannot be used: names the thing, what was expected, what was found, and where.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be opened, read or mapped.
    #[error("cannot open `{}`: {error}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Something is wrong inside this file.
    #[error("`{}`: {error}", path.display())]
    InFile {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        error: Box<Self>,
    },
    /// Something is wrong with the value of this metadata key.
    #[error("metadata key `{key}`: {error}")]
    InKey {
        /// The key.
        key: String,
        /// What is wrong with its value.
        error: Box<Self>,
    },
    /// Something is wrong with the description of this tensor.
    #[error("tensor `{name}`: {error}")]
    InTensor {
        /// The tensor's name.
        name: String,
        /// What is wrong with it.
        error: Box<Self>,
    },

    /// The first four bytes are not those of a GGUF file.
    #[error("not a GGUF file: expected the bytes `GGUF` at the start, found `{}`{}", found.escape_ascii(), magic_hint(found))]
    Magic {
        /// The bytes at the start, four at most.
        found: Vec<u8>,
    },
    /// A version of GGUF that is not read.
    #[error("GGUF version {found} is not supported, expected 1 to 3")]
    Version {
        /// The version in the header.
        found: u32,
    },
    /// A file for big-endian machines.
    #[error(
        "the file is big-endian, expected little-endian\nhint: convert it with `gguf_convert_endian.py`"
    )]
    BigEndian,
    /// The file ends inside something.
    #[error("the file ends too early: {what} at byte {at} needs {needed} bytes, {left} are left")]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// Where it starts, in bytes from the start of the file.
        at: u64,
        /// Its length in bytes.
        needed: u64,
        /// Bytes from there to the end of the file.
        left: u64,
    },
    /// A count that the rest of the file cannot hold.
    #[error(
        "the file claims {count} {what}, the {left} bytes that are left can hold at most {limit}"
    )]
    Count {
        /// Things counted.
        what: &'static str,
        /// The number in the file.
        count: u64,
        /// The largest number possible.
        limit: u64,
        /// Bytes from there to the end of the file.
        left: u64,
    },
    /// A key, name or string whose length is not allowed.
    #[error("{what} at byte {at} has {found} bytes, expected {min} to {max}")]
    Length {
        /// Which kind of text.
        what: &'static str,
        /// Where its length stands in the file.
        at: u64,
        /// The length found.
        found: u64,
        /// Least bytes allowed.
        min: u64,
        /// Most bytes allowed.
        max: u64,
    },
    /// A key or name that is not UTF-8 (strings inside values may be anything).
    #[error("{what} `{found}` is not UTF-8 (invalid from its byte {at})")]
    Utf8 {
        /// Which kind of text.
        what: &'static str,
        /// The text with what is invalid replaced.
        found: String,
        /// First invalid byte, counted from the start of the text.
        at: usize,
    },
    /// A number that stands for no metadata type.
    #[error("{found} is no metadata type, expected 0 to 12")]
    ValueType {
        /// The number.
        found: u32,
    },
    /// An array whose elements are arrays.
    #[error("arrays of arrays are not supported")]
    NestedArray,
    /// A truth value other than 0 and 1.
    #[error("the bool at byte {at} is {found}, expected 0 or 1")]
    Bool {
        /// Where it stands in the file.
        at: u64,
        /// The byte found.
        found: u8,
    },
    /// Two entries with one name.
    #[error("{what} `{name}` appears twice")]
    Duplicate {
        /// `metadata key` or `tensor`.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// An alignment that is no power of two or too large.
    #[error("alignment is {found}, expected a power of two of at most {max}")]
    Alignment {
        /// The alignment in bytes.
        found: u32,
        /// The largest accepted, in bytes.
        max: u32,
    },

    /// A metadata key that is needed and not there.
    #[error("metadata key `{key}` is missing, expected {expected}")]
    MissingKey {
        /// The key.
        key: String,
        /// What its value should be.
        expected: String,
    },
    /// A metadata value of the wrong type or out of range.
    #[error("metadata key `{key}`: expected {expected}, found {found}")]
    WrongType {
        /// The key.
        key: String,
        /// What its value should be.
        expected: String,
        /// What it is.
        found: String,
    },

    /// A tensor of no or too many dimensions.
    #[error("expected 1 to 4 dimensions, found {found}")]
    Dimensions {
        /// The number of dimensions.
        found: u64,
    },
    /// A shape whose elements or bytes cannot be counted in 63 bits.
    #[error("the shape {shape:?} (innermost first) has too many elements")]
    TooLarge {
        /// The shape as it stands in the file.
        shape: Vec<u64>,
    },
    /// A number that stands for no tensor type that is still in use.
    #[error("{found} is no tensor type in use{}", dtype_hint(*found))]
    DType {
        /// ggml's number.
        found: u32,
    },
    /// A row that is no whole number of quant blocks.
    #[error("rows of {row} weights do not divide into {dtype} blocks of {}", dtype.block_len())]
    Blocks {
        /// The type.
        dtype: DType,
        /// Weights in a row.
        row: u64,
    },
    /// Data that does not start where the tensor before it ends.
    #[error(
        "data starts at offset {found}, expected {expected}, the aligned end of the tensor before"
    )]
    Offset {
        /// The offset in the file.
        found: u64,
        /// The only offset without gap or overlap.
        expected: u64,
    },
    /// Data that reaches behind the end of the file.
    #[error(
        "data ends at byte {end}, but the file has {file} bytes\nhint: the download may be incomplete"
    )]
    OutsideFile {
        /// Where the data ends, in bytes from the start of the file.
        end: u64,
        /// Length of the file.
        file: u64,
    },
    /// Data of a length that does not belong to type and shape (when writing).
    #[error("data has {found} bytes, expected {expected}")]
    DataLength {
        /// Bytes given.
        found: u64,
        /// Bytes that type and shape need.
        expected: u64,
    },

    /// A part of a split model whose file name does not say where the others are.
    #[error(
        "the file is part {no} of a model split in {count}, expected a name that ends in \
         `-{no:05}-of-{count:05}.gguf`\nhint: give the parts the names they were published under"
    )]
    SplitName {
        /// Number of this part, from 1.
        no: u64,
        /// Parts in all.
        count: u64,
    },
    /// A part of a split model that is not there.
    #[error("part {no} of {count} of the model is missing: expected it at `{}`", path.display())]
    SplitMissing {
        /// Number of the part, from 1.
        no: u64,
        /// Parts in all.
        count: u64,
        /// Where it should be.
        path: PathBuf,
    },
    /// A part of a split model that disagrees with the others.
    #[error(
        "the parts of the model do not belong together: `{key}` is {found}, expected {expected}"
    )]
    SplitMismatch {
        /// What disagrees.
        key: &'static str,
        /// The value found.
        found: u64,
        /// The value that the other parts or the file name say.
        expected: u64,
    },

    /// Bytes that do not begin as a safetensors file.
    #[error(
        "not a safetensors file: expected the length of a JSON header and then `{{`, found {len}{}",
        first_byte(*first)
    )]
    NotSafetensors {
        /// What would be the length of the header.
        len: u64,
        /// The byte where it would begin.
        first: Option<u8>,
    },
    /// A header of a safetensors file that is not the JSON it should be.
    #[error("header: {0}")]
    Header(serde_json::Error),
    /// A name that stands for no element type of safetensors.
    #[error("`{found}` is no element type of safetensors files")]
    SafeDType {
        /// The name.
        found: String,
    },
    /// An element type that is not used as it is.
    #[error("weights of type {found} cannot be used as they are, expected F32, F16 or BF16")]
    NoDType {
        /// The type.
        found: SafeDType,
    },
    /// A tensor of less than a byte per element that is no whole number of bytes.
    #[error("{bits} bits of {dtype} are no whole number of bytes")]
    HalfBytes {
        /// The type.
        dtype: SafeDType,
        /// Bits of all elements.
        bits: u64,
    },
    /// Bytes that belong to no tensor.
    #[error("the last tensor ends at byte {end}, but the file has {file} bytes")]
    Trailing {
        /// Where the data ends, in bytes from the start of the file.
        end: u64,
        /// Length of the file.
        file: u64,
    },
    /// Something is wrong with a folder of safetensors files.
    #[error(transparent)]
    Folder(#[from] FolderError),

    /// The file cannot be written.
    #[error("cannot write: {0}")]
    Write(io::Error),
}

impl Error {
    /// The error itself, without the file, key and tensor it was found in.
    pub fn root(&self) -> &Self {
        match self {
            Self::InFile { error, .. }
            | Self::InKey { error, .. }
            | Self::InTensor { error, .. } => error.root(),
            error => error,
        }
    }
}

pub(crate) fn in_file(path: &Path, error: Error) -> Error {
    Error::InFile {
        path: path.to_owned(),
        error: Box::new(error),
    }
}

pub(crate) fn in_key(key: &str, error: Error) -> Error {
    match error {
        // Says which key already.
        error @ Error::WrongType { .. } => error,
        error => Error::InKey {
            key: key.to_owned(),
            error: Box::new(error),
        },
    }
}

pub(crate) fn in_tensor(name: &str, error: Error) -> Error {
    Error::InTensor {
        name: name.to_owned(),
        error: Box::new(error),
    }
}

/// What a file is that is often taken for a model.
fn magic_hint(magic: &[u8]) -> &'static str {
    match magic {
        b"" => "\nhint: the file is empty",
        b"vers" => {
            "\nhint: this looks like a Git LFS pointer; fetch the file itself with `git lfs pull`"
        }
        b"<!DO" | b"<!do" | b"<htm" => {
            "\nhint: this looks like a web page; the download went wrong"
        }
        b"tjgg" | b"lmgg" | b"fmgg" => {
            "\nhint: GGUF replaced this format in 2023; convert the model again"
        }
        b"PK\x03\x04" => "\nhint: this looks like a PyTorch checkpoint; convert it to GGUF first",
        [_, _, _, 0] => "\nhint: if this is a safetensors file, give the folder it is in",
        _ => "",
    }
}

fn first_byte(first: Option<u8>) -> String {
    first.map_or_else(String::new, |byte| {
        format!(" and `{}`", byte.escape_ascii())
    })
}

/// What became of tensor types that ggml once had.
fn dtype_hint(id: u32) -> &'static str {
    match id {
        4 | 5 => " (Q4_2 and Q4_3 were removed in 2023)",
        31..=33 => {
            " (the repacked Q4_0_4_4, Q4_0_4_8 and Q4_0_8_8 were removed in 2024)\nhint: use a Q4_0 file"
        }
        36..=38 => {
            " (the repacked IQ4_NL_4_4, IQ4_NL_4_8 and IQ4_NL_8_8 were removed in 2024)\nhint: use an IQ4_NL file"
        }
        _ => "\nhint: a newer program may have written the file",
    }
}
