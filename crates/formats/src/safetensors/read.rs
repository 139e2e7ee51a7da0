//! From the bytes of one file to its tensors. Every rule of the format is checked here.
//!
//! Memory: the header is copied before it is parsed (what lies in a mapped file could change in between), and
//! lists grow as entries are really read.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::{SafeDType, SafeTensor};
use crate::error::in_tensor;
use crate::name_index::NameIndex;
use crate::{Bytes, Error};

/// Most bytes of a header that are read.
const MAX_HEADER: u64 = 100_000_000;
/// Not a tensor but text about the file.
const METADATA: &str = "__metadata__";

/// The tensors of a file that is in memory or mapped, in the order in which their data lies.
///
/// Errors: everything an [`Error`] says.
pub fn parse(bytes: &Bytes) -> Result<Vec<SafeTensor>, Error> {
    let header = header(bytes)?;
    let start = 8 + header.len() as u64;
    let mut infos = Vec::new();
    let mut json = serde_json::Deserializer::from_slice(&header);
    Header(&mut infos)
        .deserialize(&mut json)
        .and_then(|()| json.end())
        .map_err(Error::Header)?;
    unique(&infos)?;
    infos.sort_by_key(|(_, info)| info.data_offsets);
    place(bytes, start, infos)
}

/// A copy of the header's bytes.
fn header(bytes: &Bytes) -> Result<Vec<u8>, Error> {
    let file = bytes.len() as u64;
    let truncated = |what, at, needed| Error::Truncated {
        what,
        at,
        needed,
        left: file - at,
    };
    let Some(len) = bytes.first_chunk::<8>() else {
        return Err(truncated("length of the header", 0, 8));
    };
    let len = u64::from_le_bytes(*len);
    let first = bytes.get(8).copied();
    if len > MAX_HEADER || first.is_some_and(|first| first != b'{') {
        return Err(Error::NotSafetensors { len, first });
    }
    if len > file - 8 {
        return Err(truncated("header", 8, len));
    }
    Ok(bytes[8..8 + len as usize].to_vec())
}

/// What the header says of a tensor.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Info {
    dtype: String,
    shape: Vec<u64>,
    /// First byte and the one behind the last, from the start of the data.
    data_offsets: (u64, u64),
}

/// Reads the header into a list: a map would drop a key that appears twice.
struct Header<'a>(&'a mut Vec<(String, Info)>);

impl<'de> DeserializeSeed<'de> for Header<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Header<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            if name == METADATA {
                map.next_value::<IgnoredAny>()?;
            } else {
                self.0.push((name, map.next_value()?));
            }
        }
        Ok(())
    }
}

fn unique(infos: &[(String, Info)]) -> Result<(), Error> {
    match NameIndex::new(infos.len(), |i| infos[i].0.as_str()) {
        Ok(_) => Ok(()),
        Err(twice) => Err(Error::Duplicate {
            what: "tensor",
            name: infos[twice].0.clone(),
        }),
    }
}

/// Cuts every tensor's data out of the file. `start` is where the data begins.
fn place(bytes: &Bytes, start: u64, infos: Vec<(String, Info)>) -> Result<Vec<SafeTensor>, Error> {
    let file = bytes.len() as u64;
    let mut tensors = Vec::with_capacity(infos.len());
    let mut expected = 0;
    for (name, info) in infos {
        let tensor = cut(bytes, start, expected, &info);
        let (dtype, shape, data) = tensor.map_err(|error| in_tensor(&name, error))?;
        expected = info.data_offsets.1;
        tensors.push(SafeTensor {
            name,
            dtype,
            shape,
            data,
        });
    }
    if start + expected != file {
        return Err(Error::Trailing {
            end: start + expected,
            file,
        });
    }
    Ok(tensors)
}

/// Type, shape and data of a tensor that must begin at `expected`.
fn cut(
    bytes: &Bytes,
    start: u64,
    expected: u64,
    info: &Info,
) -> Result<(SafeDType, Vec<usize>, Bytes), Error> {
    let dtype = SafeDType::from_name(&info.dtype).ok_or_else(|| Error::SafeDType {
        found: info.dtype.clone(),
    })?;
    let (shape, len) = measure(dtype, &info.shape)?;
    let (from, to) = info.data_offsets;
    if from != expected {
        return Err(Error::Offset {
            found: from,
            expected,
        });
    }
    let found = to.saturating_sub(from);
    if found != len {
        return Err(Error::DataLength {
            found,
            expected: len,
        });
    }
    let (end, file) = (start.saturating_add(to), bytes.len() as u64);
    if end > file {
        return Err(Error::OutsideFile { end, file });
    }
    // Inside of the file, so both fit `usize` and neither sum wraps.
    let data = bytes
        .slice((start + from) as usize..end as usize)
        .expect("the end was compared with the length");
    Ok((dtype, shape, data))
}

/// Shape and bytes of a tensor.
fn measure(dtype: SafeDType, shape: &[u64]) -> Result<(Vec<usize>, u64), Error> {
    let too_large = || Error::TooLarge {
        shape: shape.iter().rev().copied().collect(),
    };
    let sizes: Vec<usize> = shape
        .iter()
        .map(|&dim| usize::try_from(dim).map_err(|_| too_large()))
        .collect::<Result<_, _>>()?;
    // The product of what is not 0, so that a later product of any part of the shape cannot wrap either.
    let bits = shape
        .iter()
        .filter(|&&dim| dim != 0)
        .try_fold(dtype.bits(), |bits, &dim| bits.checked_mul(dim))
        .filter(|&bits| i64::try_from(bits).is_ok())
        .ok_or_else(too_large)?;
    if shape.contains(&0) {
        return Ok((sizes, 0));
    }
    if !bits.is_multiple_of(8) {
        return Err(Error::HalfBytes { dtype, bits });
    }
    Ok((sizes, bits / 8))
}
