//! Names → files that are already on this disk. Nothing here knows a network.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cache::{RepoDir, UrlDir, files_below, snapshots};
use crate::error::Error;
use crate::hub::LocalModel;
use crate::model_ref::{MAIN, RepoRef, Tag};
use crate::remote::url::Url;
use crate::select::{self, DEFAULT_QUANT, ModelFiles, NoChoice};

/// A file (with its sister parts, if it is one of a split model), or a folder with one model: a GGUF file, or
/// else weights as Hugging Face has them.
///
/// # Errors
/// Nothing there, several models in the folder, or a missing part.
pub(crate) fn find_path(path: &Path) -> Result<LocalModel, Error> {
    let name = path.display().to_string();
    let Ok(data) = fs::metadata(path) else {
        return Err(Error::NoSuchPath {
            path: path.to_owned(),
            hint: hub_name_hint(path),
        });
    };
    if data.is_dir() {
        return model_in_folder(path, name);
    }
    let file_name = path.file_name().unwrap_or_default().to_string_lossy();
    let folder = path.parent().unwrap_or(Path::new(""));
    let files: Vec<PathBuf> = match select::all_parts(&file_name) {
        // Also keeps a name that is no UTF-8 as it is.
        parts if parts.len() == 1 => vec![path.to_owned()],
        parts => parts.iter().map(|part| folder.join(part)).collect(),
    };
    if let Some(missing) = files.iter().find(|file| !file.is_file()) {
        return Err(Error::MissingPart {
            place: name,
            missing: missing.display().to_string(),
        });
    }
    LocalModel::new(name, files)
}

/// A model of a repository in the cache, or `None` if it is not (completely) there.
///
/// A name without tag means Q4_K_M, or the only model that is there. With `lenient`, and without
/// Q4_K_M, the first of several will do: for when the hub cannot be asked what else it has.
///
/// # Errors
/// [`Error::Ambiguous`].
pub(crate) fn find_repo(
    cache: &Path,
    repo: &RepoRef,
    lenient: bool,
) -> Result<Option<LocalModel>, Error> {
    let dir = RepoDir::new(cache, &repo.repo);
    let folders = match repo.revision.as_str() {
        MAIN => snapshots(&dir),
        revision => dir
            .commit_of(revision)
            .map(|commit| dir.snapshot(&commit))
            .into_iter()
            .collect(),
    };
    let default = Tag::Quant(DEFAULT_QUANT.to_owned());
    let tag = if repo.tag == Tag::Default {
        &default
    } else {
        &repo.tag
    };
    for folder in &folders {
        let models = select::models(&files_below(folder));
        match select::choose(&models, tag) {
            Ok(model) => return in_snapshot(repo, folder, &model).map(Some),
            Err(NoChoice::Several(found)) => {
                let (place, wanted) = (repo.repo.clone(), tag.wanted().to_owned());
                return Err(Error::Ambiguous {
                    place,
                    wanted,
                    found,
                });
            }
            Err(NoChoice::None(_) | NoChoice::Missing(_)) => {}
        }
    }
    if repo.tag != Tag::Default {
        return Ok(None);
    }
    for folder in &folders {
        let files = files_below(folder);
        let mut models = select::models(&files);
        models.retain(|model| model.missing.is_none());
        match models.as_slice() {
            [] => {
                let whole = select::folder(&files).filter(|model| model.missing.is_none());
                if let Some(model) = whole {
                    let name = repo_name(repo);
                    return LocalModel::of_folder(name, folder, &model.parts).map(Some);
                }
            }
            [model] => return in_snapshot(repo, folder, model).map(Some),
            [first, ..] if lenient => return in_snapshot(repo, folder, first).map(Some),
            _ => return Ok(None),
        }
    }
    Ok(None)
}

/// The paths in the repository of what [`find_repo`] finds, and the model.
pub(crate) fn files_in_repo(cache: &Path, repo: &RepoRef, model: &LocalModel) -> Vec<String> {
    let snapshots = RepoDir::new(cache, &repo.repo).snapshots();
    let relative = |file: &PathBuf| {
        let below = file.strip_prefix(&snapshots).ok()?;
        let parts: Vec<_> = below
            .iter()
            .skip(1)
            .map(|part| part.to_string_lossy())
            .collect();
        Some(parts.join("/"))
    };
    model.files.iter().filter_map(relative).collect()
}

/// What was downloaded from a URL earlier.
pub(crate) fn find_url(cache: &Path, url: &Url) -> Result<Option<LocalModel>, Error> {
    let dir = UrlDir::new(cache, &url.to_string());
    let Some(name) = url.file_name() else {
        return Ok(None);
    };
    let files: Vec<_> = select::all_parts(&name)
        .iter()
        .map(|part| dir.file(part))
        .collect();
    match files.iter().all(|file| file.is_file()) {
        true => LocalModel::new(url.to_string(), files).map(Some),
        false => Ok(None),
    }
}

/// The models of a repository that are in the cache, for messages.
pub(crate) fn cached_files(cache: &Path, repo: &RepoRef) -> Vec<String> {
    let dir = RepoDir::new(cache, &repo.repo);
    let mut all: Vec<String> = snapshots(&dir)
        .iter()
        .flat_map(|folder| select::models(&files_below(folder)))
        .filter(|model| model.missing.is_none())
        .map(|model| model.parts[0].clone())
        .collect();
    all.sort();
    all.dedup();
    all
}

fn in_snapshot(repo: &RepoRef, folder: &Path, model: &ModelFiles) -> Result<LocalModel, Error> {
    let files = model.parts.iter().map(|part| folder.join(part)).collect();
    LocalModel::new(model_name(repo, &model.parts[0]), files)
}

/// `org/repo:Q4_K_M`, or with the file name if it states no quantisation.
pub(crate) fn model_name(repo: &RepoRef, file: &str) -> String {
    let tag = match (&repo.tag, select::quant_of(file)) {
        (Tag::File(name), _) => name.clone(),
        (_, Some(quant)) => quant,
        (_, None) => file.to_owned(),
    };
    format!("{}:{tag}", repo_name(repo))
}

/// `org/repo`, with the revision if it is not the branch `main`.
pub(crate) fn repo_name(repo: &RepoRef) -> String {
    match repo.revision.as_str() {
        MAIN => repo.repo.clone(),
        revision => format!("{}@{revision}", repo.repo),
    }
}

fn model_in_folder(path: &Path, name: String) -> Result<LocalModel, Error> {
    let entries = fs::read_dir(path).map_err(|error| Error::io("read folder", path, error))?;
    let names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| path.join(name).is_file())
        .collect();
    let models = select::models(&names);
    let firsts = || {
        models
            .iter()
            .map(|model| model.parts[0].clone())
            .collect::<Vec<_>>()
    };
    match models.as_slice() {
        [] => match select::folder(&names) {
            Some(ModelFiles {
                missing: Some(missing),
                ..
            }) => Err(Error::MissingPart {
                place: name,
                missing,
            }),
            Some(model) => LocalModel::of_folder(name, path, &model.parts),
            None => Err(Error::NoSuchFile {
                place: name,
                wanted: Tag::Default.wanted().to_owned(),
                available: Vec::new(),
                hint: String::new(),
            }),
        },
        [
            ModelFiles {
                missing: Some(part),
                ..
            },
        ] => Err(Error::MissingPart {
            place: name,
            missing: part.clone(),
        }),
        [model] => LocalModel::new(
            name,
            model.parts.iter().map(|part| path.join(part)).collect(),
        ),
        _ => {
            let wanted = Tag::Default.wanted().to_owned();
            Err(Error::Ambiguous {
                place: name,
                wanted,
                found: firsts(),
            })
        }
    }
}

/// `user/repo/file.gguf` may be a file of a repository, written in another tool's way.
fn hub_name_hint(path: &Path) -> String {
    let text = path.to_string_lossy();
    match text.split('/').collect::<Vec<_>>().as_slice() {
        [org, repo, file @ ..] if !file.is_empty() && !org.is_empty() && !org.starts_with('.') => {
            format!(
                "a file of a hub repository is written `{org}/{repo}:{}`",
                file.join("/")
            )
        }
        _ => String::new(),
    }
}
