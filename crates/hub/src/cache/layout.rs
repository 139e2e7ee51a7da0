//! Paths inside the cache, and the few writes that make a finished blob visible.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::remote::download::hex;

/// The folder of one repository.
#[derive(Clone, Debug)]
pub(crate) struct RepoDir {
    cache: PathBuf,
    folder: String,
}

impl RepoDir {
    /// `repo` is a checked `org/name`.
    pub(crate) fn new(cache: &Path, repo: &str) -> Self {
        let folder = format!("models--{}", repo.replace('/', "--"));
        Self {
            cache: cache.to_owned(),
            folder,
        }
    }

    /// The inverse of the folder name, for listings: `models--a--b` → `a/b`.
    pub(crate) fn repo_of(folder: &str) -> Option<String> {
        let (org, name) = folder.strip_prefix("models--")?.split_once("--")?;
        Some(format!("{org}/{name}"))
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.cache.join(&self.folder)
    }

    pub(crate) fn blobs(&self) -> PathBuf {
        self.root().join("blobs")
    }

    pub(crate) fn snapshots(&self) -> PathBuf {
        self.root().join("snapshots")
    }

    pub(crate) fn blob(&self, etag: &str) -> PathBuf {
        self.blobs().join(etag)
    }

    pub(crate) fn incomplete(&self, etag: &str) -> PathBuf {
        self.blobs().join(format!("{etag}.incomplete"))
    }

    pub(crate) fn lock(&self, etag: &str) -> PathBuf {
        self.cache
            .join(".locks")
            .join(&self.folder)
            .join(format!("{etag}.lock"))
    }

    pub(crate) fn snapshot(&self, commit: &str) -> PathBuf {
        self.snapshots().join(commit)
    }

    fn reference(&self, revision: &str) -> PathBuf {
        self.root().join("refs").join(revision)
    }

    /// The commit which a branch had when last asked, or the revision itself if it is a commit
    /// that is here.
    pub(crate) fn commit_of(&self, revision: &str) -> Option<String> {
        if is_safe_name(revision) && self.snapshot(revision).is_dir() {
            return Some(revision.to_owned());
        }
        let commit = fs::read_to_string(self.reference(revision)).ok()?;
        let commit = commit.trim();
        is_safe_name(commit).then(|| commit.to_owned())
    }

    /// Remembers that `revision` is `commit` now.
    pub(crate) fn set_commit(&self, revision: &str, commit: &str) -> Result<(), Error> {
        if revision == commit || self.commit_of(revision).as_deref() == Some(commit) {
            return Ok(());
        }
        write_atomic(&self.reference(revision), commit.as_bytes())
    }

    /// Makes `snapshots/<commit>/<file>` stand for the blob. Does nothing if it already does.
    pub(crate) fn link(&self, commit: &str, file: &str, etag: &str) -> Result<PathBuf, Error> {
        let pointer = self.snapshot(commit).join(file);
        let blob = self.blob(etag);
        if same_file(&pointer, &blob) {
            return Ok(pointer);
        }
        make_parent(&pointer)?;
        let up = "../".repeat(2 + file.matches('/').count());
        let target = format!("{up}blobs/{etag}");
        let temporary = temporary_beside(&pointer);
        if symlink(&target, &temporary).is_err() {
            // No links here (Windows without the right): a second name for the data, or a copy.
            fs::hard_link(&blob, &temporary)
                .or_else(|_| fs::copy(&blob, &temporary).map(|_| ()))
                .map_err(|error| Error::io("copy", &temporary, error))?;
        }
        fs::rename(&temporary, &pointer).map_err(|error| Error::io("rename", &temporary, error))?;
        sync_folder(&pointer);
        Ok(pointer)
    }

    /// Creates the folders that a download writes to.
    pub(crate) fn prepare(&self) -> Result<(), Error> {
        create_dir(&self.blobs())?;
        tag_cache(&self.cache);
        Ok(())
    }
}

/// The folder of one downloaded URL: `ingle/urls/<first 32 hex digits of the URL's SHA-256>`.
pub(crate) struct UrlDir(PathBuf);

impl UrlDir {
    pub(crate) fn new(cache: &Path, url: &str) -> Self {
        let name = hex(&Sha256::digest(url.as_bytes()))[..32].to_owned();
        Self(Self::all(cache).join(name))
    }

    /// The folder that holds them all.
    pub(crate) fn all(cache: &Path) -> PathBuf {
        cache.join("ingle").join("urls")
    }

    pub(crate) fn root(&self) -> &Path {
        &self.0
    }

    /// Holds the URL as text: for listings.
    pub(crate) fn source(&self) -> PathBuf {
        self.0.join("url")
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join("files").join(name)
    }

    /// One per version of the file on the server (`validator`: its etag or date).
    pub(crate) fn incomplete(&self, validator: &str) -> PathBuf {
        let version = &hex(&Sha256::digest(validator.as_bytes()))[..16];
        self.0.join(format!("{version}.incomplete"))
    }

    /// Which version of the file was downloaded.
    pub(crate) fn version(&self, name: &str) -> Version {
        Version(self.0.join(format!("{name}.version")))
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }

    pub(crate) fn prepare(&self, url: &str) -> Result<(), Error> {
        create_dir(&self.0.join("files"))?;
        write_atomic(&self.source(), url.as_bytes())
    }
}

/// A note of the etag or date that a downloaded file had on its server.
pub(crate) struct Version(PathBuf);

impl Version {
    pub(crate) fn is_current(&self, validator: &str) -> bool {
        fs::read_to_string(&self.0).is_ok_and(|noted| noted == validator)
    }

    pub(crate) fn set(&self, validator: &str) -> Result<(), Error> {
        write_atomic(&self.0, validator.as_bytes())
    }
}

/// One component that names a file and nothing else: no separator, no `..`, no control characters.
pub(crate) fn is_safe_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 200
        && !name.starts_with('.')
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.+".contains(&b))
}

/// A relative path of plain components, with `/` between them.
pub(crate) fn is_safe_path(path: &str) -> bool {
    let part_ok = |part: &str| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && part.len() <= 255
            && !part
                .chars()
                .any(|c| c.is_control() || "\\:*?\"<>|".contains(c))
    };
    path.len() <= 1024 && path.split('/').all(part_ok)
}

/// Writes a small file so that it is there as a whole or not at all.
pub(crate) fn write_atomic(path: &Path, content: &[u8]) -> Result<(), Error> {
    make_parent(path)?;
    let temporary = temporary_beside(path);
    let written = fs::File::create(&temporary).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    written.map_err(|error| Error::io("write", &temporary, error))?;
    fs::rename(&temporary, path).map_err(|error| Error::io("rename", &temporary, error))
}

/// Flushes the folder that holds `path`. Best effort: some systems cannot.
pub(crate) fn sync_folder(path: &Path) {
    if let Some(folder) = path.parent().and_then(|parent| fs::File::open(parent).ok()) {
        folder.sync_all().ok();
    }
}

pub(crate) fn create_dir(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(|error| Error::io("create folder", path, error))
}

pub(crate) fn make_parent(path: &Path) -> Result<(), Error> {
    path.parent().map_or(Ok(()), create_dir)
}

/// A name that no other process uses, in the same folder, hidden from listings.
fn temporary_beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    fs::remove_file(&temporary).ok();
    temporary
}

/// Whether both names lead to the same existing data.
fn same_file(pointer: &Path, blob: &Path) -> bool {
    matches!((pointer.canonicalize(), blob.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

/// Tells backup programs to skip the cache (bford.info/cachedir). Best effort.
fn tag_cache(cache: &Path) {
    let tag = cache.join("CACHEDIR.TAG");
    if !tag.exists() {
        let text = "Signature: 8a477f597d28d172789f06886806bc55\n# A cache of downloaded models.\n";
        fs::write(tag, text).ok();
    }
}

#[cfg(unix)]
fn symlink(target: &str, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(windows)]
fn symlink(target: &str, link: &Path) -> std::io::Result<()> {
    std::os::windows::fs::symlink_file(target.replace('/', "\\"), link)
}

#[cfg(not(any(unix, windows)))]
fn symlink(_: &str, _: &Path) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsafe_names_are_refused() {
        for name in [
            "", ".", "..", "a/b", "../a", "a\\b", ".hidden", "a\0", "a\n", "a:b",
        ] {
            assert!(!is_safe_name(name), "{name:?}");
        }
        for path in [
            "", "/a", "a//b", "../a", "a/../b", "a/..", "a\\b", "C:/a", "a\n",
        ] {
            assert!(!is_safe_path(path), "{path:?}");
        }
        assert!(is_safe_name("ab12_x-y.z") && is_safe_path("BF16/a b-Q4_K_M.gguf"));
    }

    #[test]
    fn folder_names_go_both_ways() {
        let dir = RepoDir::new(Path::new("/c"), "org/name");
        assert_eq!(dir.root(), Path::new("/c/models--org--name"));
        assert_eq!(
            RepoDir::repo_of("models--org--name").as_deref(),
            Some("org/name")
        );
        assert_eq!(RepoDir::repo_of("datasets--org--name"), None);
    }
}
