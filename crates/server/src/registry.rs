//! Which models there are, and which one a request means.
//!
//! A request is a stranger's: the name in it finds what is on this disk under a name, and nothing by path or address.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::UNIX_EPOCH;

use ingle::hub::{Hub, ModelRef, StoredModel};
use ingle::{Model, Pool, PoolEntry};

use crate::error::{ApiError, Kind, Outcome, ServeError};
use crate::ids;
use crate::options::Options;

/// A model that can be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    /// What requests and responses call it.
    pub(crate) id: String,
    /// What finds it.
    pub(crate) source: String,
}

/// A model, for lists.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) named: Named,
    /// Further names.
    pub(crate) aliases: Vec<String>,
    pub(crate) state: State,
    /// Bytes of its files; 0 if that is not known.
    pub(crate) bytes: u64,
    /// When its files were written, in seconds since 1970.
    pub(crate) modified: u64,
    pub(crate) quant: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Unloaded,
    Loading,
    Loaded,
}

impl State {
    fn of(entry: &PoolEntry) -> Self {
        match entry.is_loaded {
            true => Self::Loaded,
            false => Self::Loading,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unloaded => "unloaded",
            Self::Loading => "loading",
            Self::Loaded => "loaded",
        }
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}

/// Finds models, and holds those that are loaded.
pub(crate) struct Registry {
    pub(crate) pool: Pool,
    pub(crate) hub: Hub,
    /// The model that is served, if it is one.
    main: Option<Main>,
    dir: Option<PathBuf>,
    started: u64,
}

struct Main {
    names: Vec<String>,
    source: String,
    strict: bool,
    /// It has been loaded once.
    is_ready: AtomicBool,
}

impl Registry {
    pub(crate) fn new(options: &Options) -> Result<Self, ServeError> {
        let (configure, parallel) = (options.configure.clone(), options.parallel);
        let mut pool = Pool::builder()
            .max_models(options.max_models)
            .configure(move |builder| configure(builder).parallel(parallel));
        if let Some(memory) = options.memory {
            pool = pool.memory(memory);
        }
        if let Some(idle) = options.idle {
            pool = pool.idle(idle);
        }
        let main = options.model.as_ref().map(|source| Main {
            names: match options.aliases.as_slice() {
                [] => vec![short_name(source)],
                aliases => aliases.to_vec(),
            },
            source: source.clone(),
            strict: options.strict_model,
            is_ready: AtomicBool::new(false),
        });
        Ok(Self {
            pool: pool.build()?,
            hub: match options.hub.clone() {
                Some(config) => Hub::new(config),
                None => Hub::from_env().map_err(ingle::Error::from)?,
            },
            main,
            dir: options.models_dir.clone(),
            started: ids::unix_time(),
        })
    }

    /// Loads the model that is served, if it is one.
    ///
    /// # Errors
    /// If it cannot be loaded.
    pub(crate) async fn load_main(&self) -> Result<Option<Model>, ingle::Error> {
        let Some(main) = &self.main else {
            return Ok(None);
        };
        let model = self.pool.get_async(&main.source).await?;
        main.is_ready.store(true, Ordering::SeqCst);
        Ok(Some(model))
    }

    /// Whether requests can be answered.
    pub(crate) fn is_ready(&self) -> bool {
        let main = self.main.as_ref();
        main.is_none_or(|main| main.is_ready.load(Ordering::SeqCst))
    }

    /// The model that a request means.
    ///
    /// # Errors
    /// If there is none of this name.
    pub(crate) fn find(&self, asked: Option<&str>) -> Outcome<Named> {
        let asked = asked.filter(|name| !name.is_empty());
        if let Some(main) = &self.main {
            let known = asked.is_none_or(|asked| main.names.iter().any(|name| name == asked));
            return match asked {
                Some(asked) if main.strict && !known => Err(ApiError::model_not_found(asked)),
                _ => Ok(Named {
                    id: main.names[0].clone(),
                    source: main.source.clone(),
                }),
            };
        }
        let Some(asked) = asked else {
            let message =
                "`model`: expected the name of a model\nhint: `GET /v1/models` lists them";
            return Err(ApiError::field("model", message));
        };
        self.find_local(asked)
            .ok_or_else(|| ApiError::model_not_found(asked))
    }

    fn find_local(&self, asked: &str) -> Option<Named> {
        let in_dir = self
            .in_dir()
            .into_iter()
            .find(|listed| listed.named.id == asked);
        if let Some(listed) = in_dir {
            return Some(listed.named);
        }
        let reference = ModelRef::parse(asked).ok()?;
        if matches!(reference, ModelRef::Path(_) | ModelRef::Url(_)) {
            return None;
        }
        // However it is spelt, or whatever stands for a name that is not whole, it is one model.
        let name = self.hub.resolve_local(&reference).ok()?.name;
        Some(Named {
            id: name.clone(),
            source: name,
        })
    }

    /// The model that a request means, loaded.
    ///
    /// # Errors
    /// If there is none of this name, it cannot be loaded, or the server is still starting.
    pub(crate) async fn get(&self, asked: Option<&str>) -> Outcome<(Named, Model)> {
        if !self.is_ready() {
            return Err(ApiError::new(Kind::Unavailable, "Loading model"));
        }
        let named = self.find(asked)?;
        let model = self.pool.get_async(&named.source).await?;
        Ok((named, model))
    }

    /// All models that can be asked for.
    pub(crate) fn list(&self) -> Vec<Listed> {
        if let Some(main) = &self.main {
            return vec![Listed {
                named: Named {
                    id: main.names[0].clone(),
                    source: main.source.clone(),
                },
                aliases: main.names[1..].to_vec(),
                state: self.state(&main.source),
                bytes: self.bytes_of(&main.source),
                modified: self.started,
                quant: None,
            }];
        }
        let mut listed = self.in_dir();
        let stored = self.hub.list().models.into_iter();
        listed.extend(stored.map(|stored| self.listed(stored)));
        listed
    }

    /// Bytes of a model's files: as they were when it was loaded, or of the one that is named; 0 if that is not known.
    fn bytes_of(&self, source: &str) -> u64 {
        match self.pool.peek(source) {
            Some(model) => model.info().file_bytes,
            None => match fs::metadata(source) {
                Ok(facts) if facts.is_file() => facts.len(),
                _ => 0,
            },
        }
    }

    fn listed(&self, stored: StoredModel) -> Listed {
        let modified = stored
            .modified
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Listed {
            state: self.state(&stored.name),
            aliases: Vec::new(),
            bytes: stored.bytes,
            modified: modified.map_or(0, |since| since.as_secs()),
            quant: stored.quant,
            named: Named {
                id: stored.name.clone(),
                source: stored.name,
            },
        }
    }

    /// GGUF files, and folders of models, in the folder that was named at the start.
    fn in_dir(&self) -> Vec<Listed> {
        let Some(dir) = &self.dir else {
            return Vec::new();
        };
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        let mut listed: Vec<Listed> = entries
            .filter_map(|entry| self.entry(&entry.path()))
            .collect();
        listed.sort_by(|a, b| a.named.id.cmp(&b.named.id));
        listed
    }

    fn entry(&self, path: &Path) -> Option<Listed> {
        let is_gguf = path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("gguf"));
        if !is_gguf && !path.join("config.json").is_file() {
            return None;
        }
        let source = path.to_str()?.to_owned();
        let id = short_name(&source);
        // Of a model in several files the first one stands for all.
        let part = id
            .rsplit_once("-of-")
            .and_then(|(front, _)| front.rsplit_once('-'));
        if part.is_some_and(|(_, number)| number.len() == 5 && number != "00001") {
            return None;
        }
        let facts = fs::metadata(path).ok()?;
        let modified = facts.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some(Listed {
            state: self.state(&source),
            aliases: Vec::new(),
            bytes: if is_gguf { facts.len() } else { 0 },
            modified: modified.as_secs(),
            quant: None,
            named: Named { id, source },
        })
    }

    /// Models in memory, by the names that requests call them.
    pub(crate) fn loaded(&self) -> Vec<(String, Model)> {
        let entries = self.pool.entries().into_iter();
        let loaded = entries.filter_map(|entry| Some((self.pool.peek(&entry.name)?, entry.name)));
        loaded
            .map(|(model, source)| (self.id(&source), model))
            .collect()
    }

    /// What is loaded, or being loaded, by the same names.
    pub(crate) fn states(&self) -> BTreeMap<String, State> {
        let entries = self.pool.entries().into_iter();
        let states = entries.map(|entry| (self.id(&entry.name), State::of(&entry)));
        states.collect()
    }

    /// What requests call the model that `source` finds.
    fn id(&self, source: &str) -> String {
        match &self.main {
            Some(main) if main.source == source => main.names[0].clone(),
            _ => short_name(source),
        }
    }

    fn state(&self, source: &str) -> State {
        let entry = self
            .pool
            .entries()
            .into_iter()
            .find(|entry| entry.name == source);
        entry.map_or(State::Unloaded, |entry| State::of(&entry))
    }
}

/// What a path is called without the rest of it; other names stay as they are.
fn short_name(source: &str) -> String {
    let path = Path::new(source);
    let is_path = matches!(ModelRef::parse(source), Ok(ModelRef::Path(_))) || path.is_absolute();
    let name = match path.extension() {
        Some(extension) if extension.eq_ignore_ascii_case("gguf") => path.file_stem(),
        _ => path.file_name(),
    };
    match name.and_then(|name| name.to_str()) {
        Some(name) if is_path => name.to_owned(),
        _ => source.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_known_by_their_last_part() {
        assert_eq!(short_name("/a/b/tiny.gguf"), "tiny");
        assert_eq!(short_name("./folder"), "folder");
        assert_eq!(short_name("org/repo:Q4_K_M"), "org/repo:Q4_K_M");
        assert_eq!(short_name("smollm2"), "smollm2");
    }

    #[test]
    fn requests_name_no_paths() {
        let registry = Registry::new(&Options::default()).expect("starts");
        for name in [
            "/etc/passwd",
            "./x.gguf",
            "../x",
            "file:///etc/passwd",
            "https://example.org/x.gguf",
            "no/such",
        ] {
            let error = registry
                .find(Some(name))
                .expect_err("not on this disk under this name");
            assert_eq!(error.kind(), Kind::NotFound, "{name}");
        }
        assert_eq!(
            registry.find(None).expect_err("none is served").kind(),
            Kind::Invalid
        );
    }

    #[test]
    fn one_model_answers_to_any_name_unless_names_are_strict() {
        let serve = |strict_model| {
            let options = Options {
                model: Some("/x/tiny.gguf".into()),
                aliases: vec!["tiny".into(), "gpt-4o".into()],
                strict_model,
                ..Options::default()
            };
            Registry::new(&options).expect("starts")
        };
        assert_eq!(
            serve(false).find(Some("other")).expect("any name").id,
            "tiny"
        );
        assert_eq!(
            serve(true).find(Some("gpt-4o")).expect("an alias").id,
            "tiny"
        );
        assert!(serve(true).find(Some("other")).is_err());
    }
}
