//! Reading parts of a file into memory of our own, without a second copy in the page cache.
//!
//! A mapping is the right thing as long as its pages stay. Where they cannot, because all of them together are
//! more than the memory allowed, a mapping that is read from front to back again and again is the worst case of
//! the page cache: what is needed next is what was dropped last. So the caller decides what stays ([`Section::read`])
//! and what comes again in every round ([`ReadAhead`]).
//!
//! On Linux, reads bypass the page cache (`O_DIRECT`): the file is opened again through `/proc/self/fd`, so
//! it is the very file that was mapped, whatever has its name by now. Where the system or the file system has no
//! such thing, ordinary reads are followed by the advice to drop what was read.

mod ahead;
mod file;
mod section;

pub use self::ahead::{Loaded, ReadAhead};
pub(crate) use self::file::OpenFile;
pub use self::file::{Extent, ReadError};
pub use self::section::{Buffer, Section};
