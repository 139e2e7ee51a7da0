//! What the cache holds: complete models and unfinished downloads.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::layout::{RepoDir, UrlDir};
use crate::select;

/// Everything in the cache that concerns us.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// Complete models, by name.
    pub models: Vec<StoredModel>,
    /// Downloads that were interrupted or are under way.
    pub incomplete: Vec<IncompleteDownload>,
}

/// A model in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredModel {
    /// A name that resolves to it: `org/repo:Q4_K_M`, `org/repo:file.gguf`, `org/repo`, or a URL.
    pub name: String,
    /// Repository or URL without file.
    pub source: String,
    /// What the file name says: `Q4_K_M`.
    pub quant: Option<String>,
    /// All parts together.
    pub bytes: u64,
    /// When the newest part was written.
    pub modified: Option<SystemTime>,
    /// The files, in order.
    pub files: Vec<PathBuf>,
}

/// The remains of a download; the same command resumes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncompleteDownload {
    /// Repository or URL.
    pub source: String,
    /// Bytes so far.
    pub bytes: u64,
    /// When last written to.
    pub modified: Option<SystemTime>,
    /// The unfinished file.
    pub path: PathBuf,
}

/// Looks through the whole cache. What cannot be read is not there.
pub(crate) fn inventory(cache: &Path) -> Inventory {
    let mut found = Inventory::default();
    for folder in entries(cache) {
        let name = folder
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if let Some(repo) = RepoDir::repo_of(&name) {
            add_repo(&mut found, cache, &repo);
        }
    }
    for folder in entries(&UrlDir::all(cache)) {
        add_url(&mut found, &folder);
    }
    found.models.sort_by(|a, b| a.name.cmp(&b.name));
    found.incomplete.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// The snapshot folders of a repository, the branch `main` first, then the newest.
pub(crate) fn snapshots(dir: &RepoDir) -> Vec<PathBuf> {
    let main = dir
        .commit_of(crate::model_ref::MAIN)
        .map(|commit| dir.snapshot(&commit));
    let mut folders = entries(&dir.snapshots());
    folders.sort_by_key(|path| std::cmp::Reverse(modified(path)));
    folders.sort_by_key(|path| Some(path) != main.as_ref());
    folders
}

/// Relative paths (with `/`) of all files below a folder whose data is really there.
pub(crate) fn files_below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    collect(folder, "", 0, &mut found);
    found.sort();
    found
}

/// The URL that a folder of `ingle/urls` came from.
fn url_of_folder(folder: &Path) -> Option<String> {
    fs::read_to_string(folder.join("url"))
        .ok()
        .map(|url| url.trim().to_owned())
}

/// Repositories have few levels of folders.
const MAX_DEPTH: usize = 8;

fn collect(folder: &Path, prefix: &str, depth: usize, found: &mut Vec<String>) {
    for path in entries(folder) {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        let relative = format!("{prefix}{name}");
        // `metadata` follows links: one that points nowhere is no file.
        match fs::metadata(&path) {
            Ok(data) if data.is_dir() && depth < MAX_DEPTH => {
                collect(&path, &format!("{relative}/"), depth + 1, found);
            }
            Ok(data) if data.is_file() && !name.starts_with('.') => found.push(relative),
            _ => {}
        }
    }
}

fn add_repo(found: &mut Inventory, cache: &Path, repo: &str) {
    let dir = RepoDir::new(cache, repo);
    let mut seen: Vec<String> = Vec::new();
    for snapshot in snapshots(&dir) {
        let files = files_below(&snapshot);
        let all = select::models(&files);
        let folder = select::folder(&files).filter(|_| all.is_empty());
        if let Some(folder) = folder.filter(|folder| folder.missing.is_none())
            && !seen.contains(&folder.parts[0])
        {
            seen.push(folder.parts[0].clone());
            let paths = folder.parts.iter().map(|part| snapshot.join(part));
            let model = stored(repo.to_owned(), repo.to_owned(), None, paths.collect());
            found.models.push(model);
        }
        for model in all.iter().filter(|model| model.missing.is_none()) {
            if seen.contains(&model.parts[0]) {
                continue;
            }
            seen.push(model.parts[0].clone());
            let quant = select::quant_of(&model.parts[0]);
            // The short name is used if it means this file and no other.
            let short = quant.clone().filter(|quant| {
                let tag = crate::model_ref::Tag::Quant(quant.clone());
                select::choose(&all, &tag).is_ok_and(|choice| choice == *model)
            });
            let name = format!("{repo}:{}", short.as_deref().unwrap_or(&model.parts[0]));
            let files = model.parts.iter().map(|part| snapshot.join(part)).collect();
            found
                .models
                .push(stored(name, repo.to_owned(), quant, files));
        }
    }
    add_incomplete(found, &dir.blobs(), repo);
}

fn add_url(found: &mut Inventory, folder: &Path) {
    let Some(url) = url_of_folder(folder) else {
        return;
    };
    let files = folder.join("files");
    for model in select::models(&files_below(&files)) {
        let quant = select::quant_of(&model.parts[0]);
        let paths = model.parts.iter().map(|part| files.join(part)).collect();
        found
            .models
            .push(stored(url.clone(), url.clone(), quant, paths));
    }
    add_incomplete(found, folder, &url);
}

fn stored(name: String, source: String, quant: Option<String>, files: Vec<PathBuf>) -> StoredModel {
    let bytes = files
        .iter()
        .filter_map(|file| fs::metadata(file).ok())
        .map(|data| data.len())
        .sum();
    let modified = files.iter().filter_map(|file| modified(file)).max();
    StoredModel {
        name,
        source,
        quant,
        bytes,
        modified,
        files,
    }
}

fn add_incomplete(found: &mut Inventory, folder: &Path, source: &str) {
    for path in entries(folder) {
        let Ok(data) = fs::metadata(&path) else {
            continue;
        };
        if path
            .extension()
            .is_some_and(|extension| extension == "incomplete")
            && data.is_file()
        {
            let modified = data.modified().ok();
            let source = source.to_owned();
            found.incomplete.push(IncompleteDownload {
                source,
                bytes: data.len(),
                modified,
                path,
            });
        }
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}

/// The entries of a folder, by name; none if it cannot be read.
pub(super) fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<_> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .collect();
    paths.sort();
    paths
}
