//! The Hugging Face hub cache on disk, shared with every other tool that uses it.
//!
//! ```text
//! models--org--repo/
//!   blobs/<etag>                    the data; the etag of a large file is its SHA-256
//!   blobs/<etag>.incomplete         an unfinished download
//!   refs/<branch>                   the commit that the branch had when last asked
//!   snapshots/<commit>/<file>       link to ../../blobs/<etag> (a copy where links are impossible)
//! .locks/models--org--repo/<etag>.lock
//! ingle/urls/<hash of the URL>/     our own corner: files from plain URLs, see `local`
//! ```
//!
//! Layout: hub-docs, `docs/hub/local-cache.md`.

mod inventory;
mod layout;
mod lock;
mod remove;

pub use inventory::{IncompleteDownload, Inventory, StoredModel};

pub(crate) use inventory::{files_below, inventory, snapshots};
pub(crate) use layout::{RepoDir, UrlDir, is_safe_name, is_safe_path, sync_folder};
pub(crate) use lock::Lock;
pub(crate) use remove::{remove_repo_model, remove_url_model};
