//! Shared read-only bytes: a slice that keeps alive whatever it was cut from.

use std::fmt;
use std::fs::File;
use std::io;
use std::ops::{Deref, Range};
use std::path::Path;
use std::sync::Arc;

use memmap2::MmapMut;

use crate::disk::Extent;
use crate::mmap::{Mapping, own};

/// A cheaply cloned, read-only slice of a mapped file or of memory of our own.
///
/// The mapping (or memory) lives until its last slice is dropped. Nothing is promised about alignment: the
/// start is wherever the file puts it.
#[derive(Clone)]
pub struct Bytes {
    owner: Arc<Owner>,
    range: Range<usize>,
}

enum Owner {
    Vec(Vec<u8>),
    Mapping(Mapping),
    Own(MmapMut),
}

impl Bytes {
    /// The contents of the file: mapped, or read where the platform cannot map.
    pub(crate) fn map(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "it is not a regular file",
            ));
        }
        match Mapping::new(file, path) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                Ok(std::fs::read(path)?.into())
            }
            mapped => Ok(Self::from_mapping(mapped?)),
        }
    }

    fn from_mapping(mapping: Mapping) -> Self {
        Self {
            range: 0..mapping.len(),
            owner: Arc::new(Owner::Mapping(mapping)),
        }
    }

    /// `len` bytes that `fill` makes of zeros, in memory of our own that begins at a page: huge pages where the system
    /// has them.
    ///
    /// # Errors
    /// If the system has no such memory.
    pub fn filled(len: usize, fill: impl FnOnce(&mut [u8])) -> io::Result<Self> {
        let owner = Owner::Own(own(len, fill)?);
        Ok(Self {
            owner: Arc::new(owner),
            range: 0..len,
        })
    }

    /// Lets `change` rewrite these bytes if they lie in memory of our own and no other slice of it is left; whether it did.
    pub fn rewrite(&mut self, change: impl FnOnce(&mut [u8])) -> bool {
        let all: &mut [u8] = match Arc::get_mut(&mut self.owner) {
            Some(Owner::Vec(bytes)) => bytes,
            Some(Owner::Own(map)) => map,
            Some(Owner::Mapping(_)) | None => return false,
        };
        change(&mut all[self.range.clone()]);
        true
    }

    /// Says that these bytes will hardly be read again: pages of a mapped file are given back, and come again if they
    /// are.
    pub fn release(&self) {
        if let Owner::Mapping(mapping) = &*self.owner {
            mapping.release(self.range.clone());
        }
    }

    /// The part `range` of these bytes, sharing their owner; `None` if it reaches outside.
    pub fn slice(&self, range: Range<usize>) -> Option<Self> {
        if range.start > range.end || range.end > self.len() {
            return None;
        }
        let start = self.range.start + range.start;
        Some(Self {
            owner: Arc::clone(&self.owner),
            range: start..start + range.len(),
        })
    }

    /// Whether these bytes are pages of a mapped file (`false`: they lie in memory of our own).
    pub fn is_mapped(&self) -> bool {
        matches!(*self.owner, Owner::Mapping(_))
    }

    /// Where on disk these bytes are; none if they lie in memory of our own.
    pub fn extent(&self) -> Option<Extent> {
        match &*self.owner {
            Owner::Vec(_) | Owner::Own(_) => None,
            Owner::Mapping(mapping) => Some(Extent {
                file: Arc::clone(mapping.file()),
                start: self.range.start as u64,
                len: self.len(),
            }),
        }
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let all: &[u8] = match &*self.owner {
            Owner::Vec(bytes) => bytes,
            Owner::Mapping(mapping) => mapping,
            Owner::Own(map) => map,
        };
        &all[self.range.clone()]
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self {
            range: 0..bytes.len(),
            owner: Arc::new(Owner::Vec(bytes)),
        }
    }
}

impl Default for Bytes {
    fn default() -> Self {
        Vec::new().into()
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl PartialEq for Bytes {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Bytes {}

/// Length and place only: the contents may be gigabytes.
impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.is_mapped() { "file" } else { "memory" };
        write!(
            f,
            "Bytes({} bytes at {} of a {place})",
            self.len(),
            self.range.start
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Bytes;

    #[test]
    fn slices_share_and_stay_inside() {
        let bytes = Bytes::from(vec![0, 1, 2, 3, 4, 5]);
        let middle = bytes.slice(2..5).expect("inside");
        drop(bytes);
        assert_eq!(*middle, [2, 3, 4]);
        assert_eq!(*middle.slice(1..3).expect("inside"), [3, 4]);
        assert_eq!(*middle.slice(3..3).expect("empty at the end"), [0_u8; 0]);
        assert_eq!(middle.slice(1..4), None);
        #[expect(
            clippy::reversed_empty_ranges,
            reason = "a reversed range is what is tested"
        )]
        let reversed = middle.slice(2..1);
        assert_eq!(reversed, None);
    }

    #[test]
    fn only_memory_of_our_own_that_is_not_shared_is_rewritten() {
        let own = Bytes::filled(4, |bytes| bytes.copy_from_slice(&[1, 2, 3, 4]));
        for whole in [Bytes::from(vec![1, 2, 3, 4]), own.expect("memory")] {
            let mut part = whole.slice(1..3).expect("inside");
            assert!(!part.rewrite(|_| panic!("shared")));
            drop(whole);
            assert!(part.rewrite(|bytes| bytes.reverse()));
            assert_eq!(*part, [3, 2]);
        }
    }

    #[test]
    fn memory_of_our_own_is_filled_and_begins_at_a_page() {
        let bytes = Bytes::filled(5000, |bytes| {
            assert!(bytes.iter().all(|&byte| byte == 0), "zeros at first");
            bytes[4999] = 7;
        })
        .expect("memory");
        assert_eq!((bytes.len(), bytes[4998], bytes[4999]), (5000, 0, 7));
        assert!(bytes.as_ptr().addr().is_multiple_of(4096) && !bytes.is_mapped());
        bytes.release();
        assert_eq!(bytes[4999], 7);
        assert!(Bytes::filled(0, |_| ()).expect("none").is_empty());
    }

    #[test]
    fn released_pages_of_a_file_come_back() {
        let file = std::env::temp_dir().join(format!("ingle-release-{}", std::process::id()));
        let contents: Vec<u8> = (0..100_000).map(|i| (i % 251) as u8).collect();
        std::fs::write(&file, &contents).expect("written");
        let bytes = Bytes::map(&file).expect("mapped");
        assert_eq!(*bytes, contents);
        bytes.slice(5000..90_001).expect("inside").release();
        assert_eq!(*bytes, contents);
        std::fs::remove_file(&file).expect("removed");
    }

    #[test]
    fn bytes_cross_threads() {
        fn is_send_and_sync<T: Send + Sync + 'static>() {}
        is_send_and_sync::<Bytes>();
    }
}
