//! A GGUF file put together by hand, so that any part of it can be wrong.

/// Numbers of metadata types in the file.
pub(crate) const U8: u32 = 0;
pub(crate) const U32: u32 = 4;
pub(crate) const BOOL: u32 = 7;
pub(crate) const STRING: u32 = 8;
pub(crate) const ARRAY: u32 = 9;
pub(crate) const U64: u32 = 10;

/// Number of the tensor type F32.
pub(crate) const F32: u32 = 0;
/// Number of the tensor type Q4_0: 32 weights in 18 bytes.
pub(crate) const Q4_0: u32 = 2;

/// Entries and tensor descriptions as bytes, and counts that need not be true.
pub(crate) struct Raw {
    pub(crate) version: u32,
    pub(crate) n_tensors: Option<u64>,
    pub(crate) n_entries: Option<u64>,
    pub(crate) entries: Vec<Vec<u8>>,
    pub(crate) infos: Vec<Vec<u8>>,
    pub(crate) alignment: usize,
    pub(crate) data: usize,
}

impl Default for Raw {
    fn default() -> Self {
        Self {
            version: 3,
            n_tensors: None,
            n_entries: None,
            entries: Vec::new(),
            infos: Vec::new(),
            alignment: 32,
            data: 0,
        }
    }
}

impl Raw {
    /// A file with one entry.
    pub(crate) fn entry(key: &str, kind: u32, value: &[u8]) -> Self {
        Self {
            entries: vec![entry(key.as_bytes(), kind, value)],
            ..Self::default()
        }
    }

    /// A file with these tensors and `data` bytes of data.
    pub(crate) fn tensors(infos: &[Vec<u8>], data: usize) -> Self {
        Self {
            infos: infos.to_vec(),
            data,
            ..Self::default()
        }
    }

    /// The file.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(self.version.to_le_bytes());
        out.extend(
            self.n_tensors
                .unwrap_or(self.infos.len() as u64)
                .to_le_bytes(),
        );
        out.extend(
            self.n_entries
                .unwrap_or(self.entries.len() as u64)
                .to_le_bytes(),
        );
        self.entries
            .iter()
            .chain(&self.infos)
            .for_each(|part| out.extend(part));
        if self.data > 0 {
            out.resize(out.len().next_multiple_of(self.alignment) + self.data, 0);
        }
        out
    }
}

/// A key with its value.
pub(crate) fn entry(key: &[u8], kind: u32, value: &[u8]) -> Vec<u8> {
    [&string(key)[..], &kind.to_le_bytes(), value].concat()
}

/// A tensor's description; `dims` innermost first.
pub(crate) fn info(name: &str, dims: &[u64], kind: u32, offset: u64) -> Vec<u8> {
    let mut out = string(name.as_bytes());
    out.extend((dims.len() as u32).to_le_bytes());
    dims.iter().for_each(|dim| out.extend(dim.to_le_bytes()));
    out.extend(kind.to_le_bytes());
    out.extend(offset.to_le_bytes());
    out
}

/// The start of an array value: element type and length.
pub(crate) fn array(kind: u32, len: u64) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &len.to_le_bytes()].concat()
}

/// A string as the file has it.
pub(crate) fn string(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u64).to_le_bytes()[..], bytes].concat()
}
