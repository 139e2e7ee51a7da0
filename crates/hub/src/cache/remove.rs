//! Removing a model: its names first, then the data that no other name needs.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::inventory::{entries, files_below};
use super::layout::{RepoDir, UrlDir};
use super::lock::is_locked;
use crate::error::Error;

/// Removes these files of a repository from every snapshot that has them, and the blobs behind
/// them unless another snapshot file leads to the same blob. `files` are paths in the repository;
/// without any, only unfinished downloads go.
///
/// Returns the bytes that became free.
///
/// # Errors
/// [`Error::Busy`] while another process downloads into the repository; failing file operations.
pub(crate) fn remove_repo_model(dir: &RepoDir, name: &str, files: &[String]) -> Result<u64, Error> {
    let incomplete = incomplete_files(&dir.blobs());
    for path in &incomplete {
        let etag = path.file_stem().unwrap_or_default().to_string_lossy();
        if is_locked(&dir.lock(&etag)) {
            return Err(Error::Busy {
                name: name.to_owned(),
            });
        }
    }
    let mut freed = 0;
    let mut blobs = BTreeSet::new();
    for snapshot in entries(&dir.snapshots()) {
        for file in files {
            let pointer = snapshot.join(file);
            let Ok(data) = fs::symlink_metadata(&pointer) else {
                continue;
            };
            if data.is_symlink() {
                blobs.extend(pointer.canonicalize());
            } else {
                freed += data.len();
            }
            delete(&pointer)?;
            prune_upwards(pointer.parent(), &dir.snapshots());
        }
    }
    let mut needed = BTreeSet::new();
    for snapshot in entries(&dir.snapshots()) {
        for file in files_below(&snapshot) {
            needed.extend(snapshot.join(file).canonicalize());
        }
    }
    let inside = dir.blobs().canonicalize().unwrap_or_else(|_| dir.blobs());
    for blob in blobs
        .iter()
        .filter(|blob| !needed.contains(*blob) && blob.starts_with(&inside))
    {
        freed += delete(blob)?;
    }
    // Which model an unfinished file belongs to is not recorded: they go with the last model, or
    // when nothing else was asked to go.
    if files.is_empty() || needed.is_empty() {
        for path in &incomplete {
            freed += delete(path)?;
        }
    }
    if entries(&dir.snapshots()).is_empty() && entries(&dir.blobs()).is_empty() {
        fs::remove_dir_all(dir.root()).map_err(|error| Error::io("remove", &dir.root(), error))?;
    }
    Ok(freed)
}

/// Removes what was downloaded from a URL, finished or not. Returns the bytes that became free.
///
/// # Errors
/// [`Error::Busy`] while another process downloads it; failing file operations.
pub(crate) fn remove_url_model(dir: &UrlDir, name: &str) -> Result<u64, Error> {
    if is_locked(&dir.lock()) {
        return Err(Error::Busy {
            name: name.to_owned(),
        });
    }
    let size = |path: PathBuf| fs::metadata(path).map_or(0, |data| data.len());
    let freed = files_below(dir.root())
        .iter()
        .map(|file| size(dir.root().join(file)))
        .sum();
    fs::remove_dir_all(dir.root()).map_err(|error| Error::io("remove", dir.root(), error))?;
    Ok(freed)
}

fn incomplete_files(blobs: &Path) -> Vec<PathBuf> {
    let is_incomplete = |path: &PathBuf| path.extension().is_some_and(|ext| ext == "incomplete");
    entries(blobs).into_iter().filter(is_incomplete).collect()
}

/// Returns the size of what was deleted.
fn delete(path: &Path) -> Result<u64, Error> {
    let bytes = fs::symlink_metadata(path).map_or(0, |data| data.len());
    fs::remove_file(path).map_err(|error| Error::io("remove", path, error))?;
    Ok(bytes)
}

/// Removes empty folders up to, but not including, `stop`.
fn prune_upwards(folder: Option<&Path>, stop: &Path) {
    let mut folder = folder;
    while let Some(path) = folder.filter(|path| *path != stop && path.starts_with(stop)) {
        if fs::remove_dir(path).is_err() {
            return;
        }
        folder = path.parent();
    }
}
