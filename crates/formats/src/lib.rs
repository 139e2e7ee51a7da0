//! Model files: from bytes on disk to named metadata and an index of tensors, and back.
//!
//! Two formats: [GGUF](gguf), and [folders](hf) of [safetensors] files as Hugging Face has them. A file is
//! mapped, never copied: a [`Tensor`]'s data is a view of the mapping ([`Bytes`]). Everything a file claims (counts, lengths, offsets, types) is checked once, here, so
//! that code further on can index without asking again; a file that lies gets an [`Error`], never a panic or
//! an allocation much larger than the file itself.
//!
//! Where memory is too small for a mapping to stay, [`disk`] reads parts of a file into memory of our own.
//!
//! Left out on purpose: what the metadata *means* (that is `model` and `engine`) and what lies inside a
//! quant block (that is `tensor`).

#![deny(unsafe_code)]

mod bytes;
pub mod disk;
mod error;
pub mod gguf;
pub mod hf;
#[allow(
    unsafe_code,
    reason = "mapping a file is unsafe; this module says why it may be done"
)]
mod mmap;
mod name_index;
pub mod safetensors;

pub use bytes::Bytes;
pub use disk::ReadError;
pub use error::Error;
pub use gguf::{
    Array, FromValue, Gguf, GgufWriter, Metadata, Strings, Tensor, Text, Value, ValueType,
};
