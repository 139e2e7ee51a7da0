//! A name to files, files to parts: without loading weights.

use std::borrow::Cow;

use engine::hf::{self, NamedTemplate, SamplerDefaults};
use engine::vocab::tokenizer_from_gguf;
use formats::Gguf;
use formats::hf::{CONFIG, Folder, FolderError};
use hub::{Hub, LocalModel, ModelRef, Progress};
use model::LoadError;
use tokenizer::Tokenizer;

use crate::Error;

/// The files of a model, downloaded if they are not there.
///
/// # Errors
/// If the name means nothing, or a download fails.
pub fn resolve(name: &str, progress: &mut dyn Progress) -> Result<LocalModel, Error> {
    Ok(Hub::from_env()?.resolve(&ModelRef::parse(name)?, progress)?)
}

/// The files of a model, open.
///
/// # Errors
/// As for [`resolve`], and if the first file is no GGUF file, or the folder no model.
pub fn open(name: &str, progress: &mut dyn Progress) -> Result<ModelFiles, Error> {
    let local = resolve(name, progress)?;
    let contents = match &local.folder {
        Some(path) => Contents::Folder(Folder::open(path)?),
        None => Contents::Gguf(Gguf::open(&local.files[0])?),
    };
    Ok(ModelFiles { local, contents })
}

/// The files of a model and what is in them: a GGUF file, or a folder as Hugging Face has them.
pub struct ModelFiles {
    /// Where they are.
    pub local: LocalModel,
    contents: Contents,
}

enum Contents {
    Gguf(Gguf),
    Folder(Folder),
}

impl ModelFiles {
    /// The model as a GGUF file has it: the file itself, or what one made of the folder would hold.
    ///
    /// # Errors
    /// If the folder has an architecture that is not known, or something contradicts something else.
    pub fn gguf(&self) -> Result<Cow<'_, Gguf>, Error> {
        match &self.contents {
            Contents::Gguf(gguf) => Ok(Cow::Borrowed(gguf)),
            Contents::Folder(folder) => {
                let gguf = model::hf::to_gguf(folder).map_err(|error| self.in_file(error))?;
                check_vocabulary(folder, &gguf)?;
                Ok(Cow::Owned(gguf))
            }
        }
    }

    /// The error with the path of what it is about, and with names as they stand there.
    pub(crate) fn in_file(&self, error: LoadError) -> Error {
        if !error.is_of_the_file() {
            return Error::Load(error);
        }
        let (path, error) = match &self.contents {
            Contents::Folder(folder) => (folder.path().to_owned(), error.in_folder(folder)),
            Contents::Gguf(_) => (self.local.files[0].clone(), error),
        };
        let error = Box::new(error);
        Error::Model { path, error }
    }

    /// The folder, if it is one.
    pub fn folder(&self) -> Option<&Folder> {
        match &self.contents {
            Contents::Gguf(_) => None,
            Contents::Folder(folder) => Some(folder),
        }
    }

    /// The tokenizer, for a model with so many rows of embeddings if that is known.
    ///
    /// # Errors
    /// If there is none, its tables are broken, or it has tokens without a row.
    pub fn tokenizer(&self, rows: Option<usize>) -> Result<Tokenizer, Error> {
        match &self.contents {
            Contents::Folder(folder) => Ok(hf::tokenizer(folder.path(), rows)?),
            Contents::Gguf(gguf) => {
                let tokenizer = tokenizer_from_gguf(gguf.metadata())?;
                let tokens = tokenizer.vocab_size();
                match rows {
                    Some(rows) if tokens > rows => Err(Error::VocabularySize {
                        path: self.local.files[0].clone(),
                        tokens,
                        rows,
                    }),
                    _ => Ok(tokenizer),
                }
            }
        }
    }

    /// The chat templates; the first is the one to use unless another is asked for.
    ///
    /// # Errors
    /// If one is no text, or a file is broken.
    pub fn chat_templates(&self) -> Result<Vec<NamedTemplate>, Error> {
        match &self.contents {
            Contents::Folder(folder) => Ok(hf::chat_templates(folder.path())?),
            Contents::Gguf(gguf) => gguf_templates(gguf),
        }
    }

    /// What the model's makers recommend for sampling.
    ///
    /// # Errors
    /// If the file that says so is broken.
    pub fn sampler_defaults(&self) -> Result<SamplerDefaults, Error> {
        match &self.contents {
            Contents::Folder(folder) => Ok(hf::sampler_defaults(folder.path())?),
            Contents::Gguf(_) => Ok(SamplerDefaults::default()),
        }
    }
}

/// `vocab_size` may not promise tokens that the embedding has no rows for.
fn check_vocabulary(folder: &Folder, gguf: &Gguf) -> Result<(), Error> {
    const EMBEDDING: &str = "token_embd.weight";
    let config = folder.config();
    let (key, size) = match config.get("text_config") {
        Some(text) => ("text_config.vocab_size", text.get("vocab_size")),
        None => ("vocab_size", config.get("vocab_size")),
    };
    let rows = gguf.tensor(EMBEDDING).map(|tensor| tensor.shape[0]);
    match (size.and_then(serde_json::Value::as_u64), rows) {
        (Some(size), Some(rows)) if size > rows as u64 => {
            Err(Error::Format(formats::Error::Folder(FolderError::Config {
                path: folder.path().join(CONFIG),
                key: key.to_owned(),
                expected: format!("at most {rows}, the rows of `{EMBEDDING}`"),
                found: size.to_string(),
            })))
        }
        _ => Ok(()),
    }
}

/// `tokenizer.chat_template`, then `tokenizer.chat_template.NAME`.
fn gguf_templates(gguf: &Gguf) -> Result<Vec<NamedTemplate>, Error> {
    const KEY: &str = "tokenizer.chat_template";
    let metadata = gguf.metadata();
    let mut templates = Vec::new();
    if let Some(source) = metadata.opt(KEY)? {
        let name = "default".to_owned();
        templates.push(NamedTemplate { name, source });
    }
    for (key, _) in metadata.iter() {
        let name = key
            .strip_prefix(KEY)
            .and_then(|rest| rest.strip_prefix('.'));
        if let Some(name) = name {
            templates.push(NamedTemplate {
                name: name.to_owned(),
                source: metadata.require(key)?,
            });
        }
    }
    Ok(templates)
}

/// The name of the template by which a reranker reads a query and a document.
pub(crate) const RERANK: &str = "rerank";

/// The template of this name, or without a name the first.
///
/// # Errors
/// If none has the name.
pub(crate) fn pick_template(
    templates: Vec<NamedTemplate>,
    name: Option<&str>,
) -> Result<Option<String>, Error> {
    let Some(name) = name else {
        // That of a reranker takes no conversation.
        let mut chats = templates.into_iter().filter(|t| t.name != RERANK);
        return Ok(chats.next().map(|t| t.source));
    };
    let known: Vec<String> = templates.iter().map(|t| t.name.clone()).collect();
    let found = templates.into_iter().find(|t| t.name == name);
    match found {
        Some(template) => Ok(Some(template.source)),
        None => Err(Error::NoSuchTemplate {
            name: name.to_owned(),
            known,
        }),
    }
}
