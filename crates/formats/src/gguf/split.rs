//! Models split over several files, as llama.cpp's `gguf-split` makes them.
//!
//! Part `i` (from 1) of `n` is named `NAME-0000i-of-0000n.gguf` and carries `split.no` = `i - 1`,
//! `split.count` = `n` and `split.tensors.count` = tensors of all parts together. The first part has the
//! model's metadata (and often no tensors). Source:
//! <https://github.com/ggml-org/llama.cpp/tree/master/tools/gguf-split>.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::{Gguf, open_one, read};
use crate::Error;
use crate::error::in_file;

pub(super) const NO: &str = "split.no";
pub(super) const COUNT: &str = "split.count";
pub(super) const TENSORS: &str = "split.tensors.count";

/// Opens the file, and if it is a part of a model all the other parts.
pub(super) fn open(path: &Path) -> Result<Gguf, Error> {
    let named = open_one(path)?;
    let split = Split::of(&named).map_err(|error| in_file(path, error))?;
    if split.count <= 1 {
        return Ok(named);
    }
    let name = SplitName::parse(path, split).map_err(|error| in_file(path, error))?;

    let mut named = Some(named);
    let mut parts = Vec::new();
    for no in 0..split.count {
        let path = name.part(no);
        let part = match named.take_if(|_| no == split.no) {
            Some(named) => named,
            None => open_part(&path, no, split.count)?,
        };
        let found = Split::of(&part).map_err(|error| in_file(&path, error))?;
        found
            .check(Split { no, ..split })
            .map_err(|error| in_file(&path, error))?;
        parts.push(part);
    }
    join(parts, split.tensors)
}

/// The file name of part `no` (from 0) of `count`: `NAME-00001-of-00003.gguf`.
pub fn part_name(name: &str, no: u64, count: u64) -> String {
    format!("{name}{}", suffix(no, count))
}

fn suffix(no: u64, count: u64) -> String {
    format!("-{:05}-of-{count:05}.gguf", no + 1)
}

fn open_part(path: &Path, no: u64, count: u64) -> Result<Gguf, Error> {
    open_one(path).map_err(|error| match error {
        Error::Open { path, error } if error.kind() == std::io::ErrorKind::NotFound => {
            Error::SplitMissing {
                no: no + 1,
                count,
                path,
            }
        }
        error => error,
    })
}

/// What a file says about the split it belongs to.
#[derive(Clone, Copy)]
struct Split {
    /// Number of the part, from 0.
    no: u64,
    /// Parts in all; a whole model is 0 or 1.
    count: u64,
    /// Tensors of all parts together.
    tensors: u64,
}

impl Split {
    fn of(gguf: &Gguf) -> Result<Self, Error> {
        let metadata = gguf.metadata();
        let count = metadata.opt::<u16>(COUNT)?.unwrap_or(0).into();
        if count <= 1 {
            return Ok(Self {
                no: 0,
                count,
                tensors: 0,
            });
        }
        let no = metadata.require::<u16>(NO)?.into();
        let tensors = metadata.require::<u64>(TENSORS)?;
        Ok(Self { no, count, tensors })
    }

    fn check(self, expected: Self) -> Result<(), Error> {
        for (key, found, expected) in [
            (COUNT, self.count, expected.count),
            (NO, self.no, expected.no),
            (TENSORS, self.tensors, expected.tensors),
        ] {
            if found != expected {
                return Err(Error::SplitMismatch {
                    key,
                    found,
                    expected,
                });
            }
        }
        Ok(())
    }
}

/// Where the parts of a model lie.
struct SplitName {
    folder: PathBuf,
    name: String,
    count: u64,
}

impl SplitName {
    /// From the path of the part that `split` describes.
    fn parse(path: &Path, split: Split) -> Result<Self, Error> {
        let file = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        match file.strip_suffix(&suffix(split.no, split.count)) {
            Some(name) => Ok(Self {
                folder: path.parent().map(Path::to_owned).unwrap_or_default(),
                name: name.to_owned(),
                count: split.count,
            }),
            None => Err(Error::SplitName {
                no: split.no + 1,
                count: split.count,
            }),
        }
    }

    fn part(&self, no: u64) -> PathBuf {
        self.folder
            .join(OsString::from(part_name(&self.name, no, self.count)))
    }
}

/// One model of all parts; the first part gives the metadata.
fn join(parts: Vec<Gguf>, tensors: u64) -> Result<Gguf, Error> {
    let mut parts = parts.into_iter();
    let mut whole = parts.next().expect("a split has two parts at least");
    for part in parts {
        whole.tensors.extend(part.tensors);
        whole.paths.extend(part.paths);
        whole.file_bytes += part.file_bytes;
    }
    let check = || {
        let found = whole.tensors.len() as u64;
        if found != tensors {
            return Err(Error::SplitMismatch {
                key: TENSORS,
                found: tensors,
                expected: found,
            });
        }
        read::index(&whole.tensors)
    };
    let index = check().map_err(|error| in_file(&whole.paths[0], error))?;
    whole.index = index;
    Ok(whole)
}
