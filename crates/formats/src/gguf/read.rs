//! From the bytes of one file to metadata and tensors. Every rule of the format is checked here.
//!
//! Memory: nothing is reserved on the word of a count in the file; lists grow as entries are really read,
//! and an array is reserved only after the bytes it needs were found to be there.

use tensor::DType;

use super::cursor::Cursor;
use super::text::{Strings, Text};
use super::value::{Array, Number, Value, ValueType};
use super::{
    DEFAULT_ALIGNMENT, Gguf, MAX_ALIGNMENT, MAX_DIMS, MAX_KEY_BYTES, MAX_NAME_BYTES,
    MAX_STRING_BYTES, Metadata, Tensor,
};
use crate::error::{in_key, in_tensor};
use crate::name_index::NameIndex;
use crate::{Bytes, Error};

/// Least bytes of a metadata entry: length and one byte of key, type, one byte of value (lengths as in version 1).
const MIN_ENTRY: u64 = 4 + 1 + 4 + 1;
/// Least bytes of a tensor's description: length and one byte of name, dimensions and one of them, dtype, offset.
const MIN_TENSOR: u64 = 4 + 1 + 4 + 4 + 4 + 8;

/// Reads a whole file.
pub(super) fn read(bytes: &Bytes) -> Result<Gguf, Error> {
    let mut cursor = Cursor::new(bytes);
    let version = read_version(&mut cursor)?;
    let n_tensors = cursor.length("number of tensors")?;
    let n_entries = cursor.length("number of metadata keys")?;

    let n_entries = cursor.count("metadata keys", n_entries, MIN_ENTRY)?;
    let mut entries = Vec::new();
    for _ in 0..n_entries {
        entries.push(read_entry(&mut cursor)?);
    }
    let metadata = Metadata::from_entries(entries)?;
    let alignment = alignment(&metadata)?;

    let n_tensors = cursor.count("tensors", n_tensors, MIN_TENSOR)?;
    let mut infos = Vec::new();
    for _ in 0..n_tensors {
        infos.push(read_info(&mut cursor)?);
    }
    let tensors = place(bytes, cursor.position(), alignment, infos)?;
    let index = index(&tensors)?;
    let file_bytes = bytes.len() as u64;
    Ok(Gguf {
        version,
        alignment,
        metadata,
        tensors,
        index,
        paths: Vec::new(),
        file_bytes,
    })
}

/// The index of tensors by name; the error is [`Error::Duplicate`].
pub(super) fn index(tensors: &[Tensor]) -> Result<NameIndex, Error> {
    NameIndex::new(tensors.len(), |i| tensors[i].name.as_str()).map_err(|twice| Error::Duplicate {
        what: "tensor",
        name: tensors[twice].name.clone(),
    })
}

/// `general.alignment`, in bytes.
pub(super) fn alignment(metadata: &Metadata) -> Result<u32, Error> {
    const KEY: &str = "general.alignment";
    let found = metadata.opt::<u32>(KEY)?.unwrap_or(DEFAULT_ALIGNMENT);
    if !found.is_power_of_two() || found > MAX_ALIGNMENT {
        return Err(in_key(
            KEY,
            Error::Alignment {
                found,
                max: MAX_ALIGNMENT,
            },
        ));
    }
    Ok(found)
}

fn read_version(cursor: &mut Cursor<'_>) -> Result<u32, Error> {
    let magic = cursor.take("magic number", cursor.left().min(4))?;
    if magic != b"GGUF" {
        return Err(Error::Magic {
            found: magic.to_vec(),
        });
    }
    match cursor.number::<u32>("version")? {
        version @ (2 | 3) => Ok(version),
        version @ 1 => {
            cursor.use_short_lengths();
            Ok(version)
        }
        swapped if matches!(swapped.swap_bytes(), 1..=3) => Err(Error::BigEndian),
        found => Err(Error::Version { found }),
    }
}

fn read_entry(cursor: &mut Cursor<'_>) -> Result<(Box<str>, Value), Error> {
    let key = cursor.name("metadata key", MAX_KEY_BYTES)?;
    let value = read_value(cursor).map_err(|error| in_key(&key, error))?;
    Ok((key.into(), value))
}

fn read_value(cursor: &mut Cursor<'_>) -> Result<Value, Error> {
    const WHAT: &str = "value";
    Ok(match read_type(cursor)? {
        ValueType::U8 => Value::U8(cursor.number(WHAT)?),
        ValueType::I8 => Value::I8(cursor.number(WHAT)?),
        ValueType::U16 => Value::U16(cursor.number(WHAT)?),
        ValueType::I16 => Value::I16(cursor.number(WHAT)?),
        ValueType::U32 => Value::U32(cursor.number(WHAT)?),
        ValueType::I32 => Value::I32(cursor.number(WHAT)?),
        ValueType::F32 => Value::F32(cursor.number(WHAT)?),
        ValueType::U64 => Value::U64(cursor.number(WHAT)?),
        ValueType::I64 => Value::I64(cursor.number(WHAT)?),
        ValueType::F64 => Value::F64(cursor.number(WHAT)?),
        ValueType::Bool => Value::Bool(read_bools(cursor, 1)?[0]),
        ValueType::String => Value::String(Text::from(read_string(cursor)?)),
        ValueType::Array => Value::Array(read_array(cursor)?),
    })
}

fn read_type(cursor: &mut Cursor<'_>) -> Result<ValueType, Error> {
    let found = cursor.number("value type")?;
    ValueType::from_id(found).ok_or(Error::ValueType { found })
}

fn read_array(cursor: &mut Cursor<'_>) -> Result<Array, Error> {
    let elem = read_type(cursor)?;
    let count = cursor.length("array length")?;
    Ok(match elem {
        ValueType::U8 => Array::U8(read_numbers(cursor, count)?),
        ValueType::I8 => Array::I8(read_numbers(cursor, count)?),
        ValueType::U16 => Array::U16(read_numbers(cursor, count)?),
        ValueType::I16 => Array::I16(read_numbers(cursor, count)?),
        ValueType::U32 => Array::U32(read_numbers(cursor, count)?),
        ValueType::I32 => Array::I32(read_numbers(cursor, count)?),
        ValueType::F32 => Array::F32(read_numbers(cursor, count)?),
        ValueType::U64 => Array::U64(read_numbers(cursor, count)?),
        ValueType::I64 => Array::I64(read_numbers(cursor, count)?),
        ValueType::F64 => Array::F64(read_numbers(cursor, count)?),
        ValueType::Bool => Array::Bool(read_bools(cursor, count)?),
        ValueType::String => Array::String(read_strings(cursor, count)?),
        ValueType::Array => return Err(Error::NestedArray),
    })
}

fn read_numbers<T: Number>(cursor: &mut Cursor<'_>, count: u64) -> Result<Vec<T>, Error> {
    let size = size_of::<T>();
    cursor.count("array elements", count, size as u64)?;
    let bytes = cursor.take("array", count * size as u64)?;
    Ok(bytes.chunks_exact(size).map(T::from_le).collect())
}

fn read_bools(cursor: &mut Cursor<'_>, count: u64) -> Result<Vec<bool>, Error> {
    let start = cursor.position();
    cursor.count("array elements", count, 1)?;
    let bytes = cursor.take("bool", count)?;
    match bytes.iter().position(|&byte| byte > 1) {
        Some(at) => Err(Error::Bool {
            at: start + at as u64,
            found: bytes[at],
        }),
        None => Ok(bytes.iter().map(|&byte| byte == 1).collect()),
    }
}

/// Two passes, so that the strings are copied once into memory of the right size.
fn read_strings(cursor: &mut Cursor<'_>, count: u64) -> Result<Strings, Error> {
    let count = cursor.count("array elements", count, cursor.length_bytes())?;
    let mut ahead = cursor.clone();
    let mut total = 0;
    for _ in 0..count {
        total += read_string(&mut ahead)?.len();
    }
    let mut strings = Strings::with_capacity(count, total);
    for _ in 0..count {
        strings.push(read_string(cursor)?);
    }
    Ok(strings)
}

fn read_string<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [u8], Error> {
    cursor.string("string", 0, MAX_STRING_BYTES)
}

/// A tensor's description, before it is known where the data begins.
struct Info {
    name: String,
    dtype: DType,
    shape: Vec<usize>,
    /// From the start of the data, in bytes.
    offset: u64,
    /// Length of the data, in bytes.
    len: u64,
}

fn read_info(cursor: &mut Cursor<'_>) -> Result<Info, Error> {
    let name = cursor.name("tensor name", MAX_NAME_BYTES)?;
    match read_layout(cursor) {
        Ok((dtype, shape, len, offset)) => Ok(Info {
            name,
            dtype,
            shape,
            offset,
            len,
        }),
        Err(error) => Err(in_tensor(&name, error)),
    }
}

fn read_layout(cursor: &mut Cursor<'_>) -> Result<(DType, Vec<usize>, u64, u64), Error> {
    let n_dims = cursor.number::<u32>("number of dimensions")?;
    if n_dims == 0 || n_dims > MAX_DIMS {
        return Err(Error::Dimensions {
            found: n_dims.into(),
        });
    }
    let mut dims = [0; MAX_DIMS as usize];
    let dims = &mut dims[..n_dims as usize];
    for dim in dims.iter_mut() {
        *dim = cursor.length("dimension")?;
    }
    let found = cursor.number("tensor type")?;
    let dtype = DType::from_ggml_id(found).ok_or(Error::DType { found })?;
    let (shape, len) = measure(dtype, dims)?;
    Ok((dtype, shape, len, cursor.number("tensor offset")?))
}

/// Shape (outermost first) and bytes of a tensor, from its dimensions (innermost first).
pub(super) fn measure(dtype: DType, dims: &[u64]) -> Result<(Vec<usize>, u64), Error> {
    let too_large = || Error::TooLarge {
        shape: dims.to_vec(),
    };
    // ggml counts elements and bytes in i64.
    let product = |dims: &[u64]| {
        let product = dims
            .iter()
            .try_fold(1_u64, |product, &dim| product.checked_mul(dim));
        product
            .filter(|&product| i64::try_from(product).is_ok())
            .ok_or_else(too_large)
    };
    product(dims)?;
    let shape: Vec<usize> = dims
        .iter()
        .rev()
        .map(|&dim| usize::try_from(dim).map_err(|_| too_large()))
        .collect::<Result<_, _>>()?;

    let row = dims[0];
    if !row.is_multiple_of(dtype.block_len() as u64) {
        return Err(Error::Blocks { dtype, row });
    }
    let row_bytes = row / dtype.block_len() as u64;
    let len = product(&[&[row_bytes, dtype.block_bytes() as u64], &dims[1..]].concat())?;
    Ok((shape, len))
}

/// Cuts every tensor's data out of the file. `header` is where the descriptions end.
fn place(
    bytes: &Bytes,
    header: u64,
    alignment: u32,
    infos: Vec<Info>,
) -> Result<Vec<Tensor>, Error> {
    let file = bytes.len() as u64;
    // Cannot wrap: `header` is inside a slice, so below 2^63.
    let start = header.next_multiple_of(alignment.into());
    let mut tensors = Vec::with_capacity(infos.len());
    let mut expected = 0;
    for Info {
        name,
        dtype,
        shape,
        offset,
        len,
    } in infos
    {
        if offset != expected {
            return Err(in_tensor(
                &name,
                Error::Offset {
                    found: offset,
                    expected,
                },
            ));
        }
        let end = start.saturating_add(offset).saturating_add(len);
        if end > file {
            return Err(in_tensor(&name, Error::OutsideFile { end, file }));
        }
        // Both are inside the file now, so they fit `usize` and none of the sums wraps.
        let data = bytes
            .slice((start + offset) as usize..end as usize)
            .expect("end was compared with the length");
        tensors.push(Tensor {
            name,
            dtype,
            shape,
            data,
        });
        expected = (offset + len).next_multiple_of(alignment.into());
    }
    Ok(tensors)
}
