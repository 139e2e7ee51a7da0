//! Writing GGUF version 3: the same bytes for the same contents, always.

use std::borrow::Cow;
use std::collections::HashSet;
use std::io::Write;

use tensor::DType;

use super::value::{Array, Number, Value, match_numbers};
use super::{
    DEFAULT_ALIGNMENT, MAX_KEY_BYTES, MAX_NAME_BYTES, MAX_STRING_BYTES, Metadata, Tensor, read,
    split,
};
use crate::Error;
use crate::error::{in_key, in_tensor};

/// Collects metadata and tensors and writes them as a file.
///
/// The order is the caller's, the alignment is `general.alignment` of the metadata (32 if absent). Data may be
/// borrowed (from a mapped file, say), so that rewriting a model copies no weights into memory.
pub struct GgufWriter<'a> {
    metadata: Metadata,
    alignment: u32,
    tensors: Vec<Entry<'a>>,
    names: HashSet<String>,
}

struct Entry<'a> {
    name: String,
    dtype: DType,
    /// Innermost first, as in the file.
    dims: Vec<u64>,
    data: Cow<'a, [u8]>,
}

impl<'a> GgufWriter<'a> {
    /// A file with this metadata and no tensors yet.
    ///
    /// Errors: a key or string of a length that readers refuse, or an alignment that is no power of two.
    pub fn new(metadata: Metadata) -> Result<Self, Error> {
        for (key, value) in metadata.iter() {
            check_len("metadata key", key.len(), 1, MAX_KEY_BYTES)?;
            check_strings(value).map_err(|error| in_key(key, error))?;
        }
        Ok(Self {
            alignment: read::alignment(&metadata)?,
            metadata,
            tensors: Vec::new(),
            names: HashSet::new(),
        })
    }

    /// Adds a tensor; `shape` is outermost first, `data` exactly as long as `dtype` and `shape` say.
    ///
    /// Errors: everything that a reader would refuse in the description, a name used before, and
    /// [`Error::DataLength`].
    pub fn tensor(
        &mut self,
        name: &str,
        dtype: DType,
        shape: &[usize],
        data: impl Into<Cow<'a, [u8]>>,
    ) -> Result<(), Error> {
        check_len("tensor name", name.len(), 1, MAX_NAME_BYTES)?;
        let data = data.into();
        let dims = dims(dtype, shape, data.len()).map_err(|error| in_tensor(name, error))?;
        if !self.names.insert(name.to_owned()) {
            return Err(Error::Duplicate {
                what: "tensor",
                name: name.to_owned(),
            });
        }
        self.tensors.push(Entry {
            name: name.to_owned(),
            dtype,
            dims,
            data,
        });
        Ok(())
    }

    /// Adds a tensor of another file as it is.
    pub fn copy_tensor(&mut self, tensor: &'a Tensor) -> Result<(), Error> {
        self.tensor(&tensor.name, tensor.dtype, &tensor.shape, &*tensor.data)
    }

    /// Shares the tensors out to several files of at most `max_bytes` of data each (but one tensor at least),
    /// in order; file `i` of the result belongs under the name [`part_name`](super::part_name)`(NAME, i, n)`.
    ///
    /// The first part keeps the metadata. Of more than 65,535 parts the last takes all the rest, as
    /// their number is a `u16`.
    pub fn split(self, max_bytes: u64) -> Result<Vec<Self>, Error> {
        let total = self.tensors.len();
        let mut parts: Vec<Vec<Entry<'a>>> = vec![Vec::new()];
        let mut used = 0;
        for tensor in self.tensors {
            let len = (tensor.data.len() as u64).next_multiple_of(self.alignment.into());
            let full = used > 0 && used + len > max_bytes;
            if full && parts.len() < usize::from(u16::MAX) {
                parts.push(Vec::new());
                used = 0;
            }
            parts.last_mut().expect("starts with one part").push(tensor);
            used += len;
        }

        let count = parts.len() as u16;
        let mut first = Some(self.metadata);
        let mut writers = Vec::with_capacity(parts.len());
        for (no, tensors) in parts.into_iter().enumerate() {
            let mut metadata = first.take().unwrap_or_default();
            metadata.insert(split::NO, Value::U16(no as u16));
            metadata.insert(split::COUNT, Value::U16(count));
            metadata.insert(split::TENSORS, Value::I32(total as i32));
            if self.alignment != DEFAULT_ALIGNMENT {
                metadata.insert("general.alignment", Value::U32(self.alignment));
            }
            writers.push(Self {
                tensors,
                ..Self::new(metadata)?
            });
        }
        Ok(writers)
    }

    /// Writes the file.
    pub fn write(&self, out: &mut impl Write) -> Result<(), Error> {
        let header = self.header();
        out.write_all(&header).map_err(Error::Write)?;
        for tensor in &self.tensors {
            out.write_all(&tensor.data).map_err(Error::Write)?;
            let padding = vec![0; self.padding(tensor.data.len())];
            out.write_all(&padding).map_err(Error::Write)?;
        }
        out.flush().map_err(Error::Write)
    }

    /// Everything before the data; padded to the alignment if there is any (as llama.cpp's writers do).
    fn header(&self) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        3_u32.put_le(&mut out);
        (self.tensors.len() as u64).put_le(&mut out);
        (self.metadata.len() as u64).put_le(&mut out);
        for (key, value) in self.metadata.iter() {
            put_string(key.as_bytes(), &mut out);
            put_value(value, &mut out);
        }
        let mut offset = 0;
        for tensor in &self.tensors {
            put_string(tensor.name.as_bytes(), &mut out);
            (tensor.dims.len() as u32).put_le(&mut out);
            put_numbers(&tensor.dims, &mut out);
            tensor.dtype.ggml_id().put_le(&mut out);
            (offset as u64).put_le(&mut out);
            offset += tensor.data.len() + self.padding(tensor.data.len());
        }
        if !self.tensors.is_empty() {
            out.resize(out.len() + self.padding(out.len()), 0);
        }
        out
    }

    /// Zero bytes that follow `len` bytes.
    fn padding(&self, len: usize) -> usize {
        len.next_multiple_of(self.alignment as usize) - len
    }
}

/// The dimensions as the file has them, after all checks.
pub(super) fn dims(dtype: DType, shape: &[usize], found: usize) -> Result<Vec<u64>, Error> {
    if shape.is_empty() || shape.len() > super::MAX_DIMS as usize {
        return Err(Error::Dimensions {
            found: shape.len() as u64,
        });
    }
    let dims: Vec<u64> = shape.iter().rev().map(|&dim| dim as u64).collect();
    let (_, expected) = read::measure(dtype, &dims)?;
    let found = found as u64;
    if found != expected {
        return Err(Error::DataLength { found, expected });
    }
    Ok(dims)
}

fn check_strings(value: &Value) -> Result<(), Error> {
    match value {
        Value::String(text) => check_len("string", text.as_bytes().len(), 0, MAX_STRING_BYTES),
        Value::Array(Array::String(strings)) => strings
            .iter()
            .try_for_each(|text| check_len("string", text.len(), 0, MAX_STRING_BYTES)),
        _ => Ok(()),
    }
}

fn check_len(what: &'static str, found: usize, min: u64, max: u64) -> Result<(), Error> {
    let found = found as u64;
    if found < min || found > max {
        return Err(Error::Length {
            what,
            at: 0,
            found,
            min,
            max,
        });
    }
    Ok(())
}

fn put_value(value: &Value, out: &mut Vec<u8>) {
    value.value_type().id().put_le(out);
    match_numbers!(Value, value, x => x.put_le(out),
        Value::Bool(x) => out.push(u8::from(*x)),
        Value::String(text) => put_string(text.as_bytes(), out),
        Value::Array(array) => put_array(array, out),
    )
}

fn put_array(array: &Array, out: &mut Vec<u8>) {
    array.elem_type().id().put_le(out);
    (array.len() as u64).put_le(out);
    match_numbers!(Array, array, x => put_numbers(x, out),
        Array::Bool(x) => out.extend(x.iter().map(|&x| u8::from(x))),
        Array::String(x) => x.iter().for_each(|text| put_string(text, out)),
    )
}

fn put_numbers<T: Number>(numbers: &[T], out: &mut Vec<u8>) {
    numbers.iter().for_each(|x| x.put_le(out));
}

fn put_string(bytes: &[u8], out: &mut Vec<u8>) {
    (bytes.len() as u64).put_le(out);
    out.extend_from_slice(bytes);
}
