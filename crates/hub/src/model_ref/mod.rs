//! The names that people give to models, parsed once.

mod parse;
mod suggest;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::catalogue::Entry;
use crate::error::Error;

/// A parsed model name.
///
/// | text | meaning |
/// |---|---|
/// | `user/repo`, `user/repo:QUANT`, `user/repo:file.gguf`, `user/repo@revision:…` | hub repository |
/// | the same after `hf.co/`, `huggingface.co/`, `hf://` | the same |
/// | `https://huggingface.co/user/repo[/blob/rev/file.gguf]` | the same, as browsers show it |
/// | `https://host/….gguf` | that file |
/// | `file://…`, `/…`, `./…`, `../…`, `C:\…`, `….gguf` | local file or folder |
/// | `smollm2`, `smollm2:Q8_0` | short name of the catalogue, optionally another quantisation |
/// | `ollama:name[:tag]` | what Ollama downloaded, read where it lies |
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelRef {
    /// A local file or folder.
    Path(PathBuf),
    /// The https (or http) address of a GGUF file.
    Url(String),
    /// A file of a hub repository.
    Repo(RepoRef),
    /// A short name.
    Catalogue(&'static Entry),
    /// A model in Ollama's own store, which is only read.
    Ollama {
        /// `llama3.2` or `someone/model`.
        name: String,
        /// `latest` unless given.
        tag: String,
    },
}

/// A model in a hub repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepoRef {
    /// `org/name`.
    pub repo: String,
    /// Branch, tag or commit; `main` unless given.
    pub revision: String,
    /// Which of its files.
    pub tag: Tag,
}

/// Which file of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tag {
    /// Q4_K_M if there is one, else the first GGUF file.
    Default,
    /// The file with this quantisation in its name, in any case.
    Quant(String),
    /// This file (path in the repository, or its last component).
    File(String),
}

impl ModelRef {
    /// The repository behind a hub or short name.
    pub fn repo(&self) -> Option<RepoRef> {
        match self {
            Self::Repo(repo) => Some(repo.clone()),
            Self::Catalogue(entry) => Some(entry.repo_ref()),
            Self::Path(_) | Self::Url(_) | Self::Ollama { .. } => None,
        }
    }
}

impl Entry {
    /// What the short name stands for on the hub.
    pub fn repo_ref(&self) -> RepoRef {
        RepoRef {
            repo: self.repo.to_owned(),
            revision: MAIN.to_owned(),
            tag: Tag::parse(self.tag),
        }
    }
}

/// The branch that a name without revision means.
pub(crate) const MAIN: &str = "main";

impl FromStr for ModelRef {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

impl fmt::Display for ModelRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Url(url) => f.write_str(url),
            Self::Repo(repo) => repo.fmt(f),
            Self::Catalogue(entry) => f.write_str(entry.name),
            Self::Ollama { name, tag } => write!(f, "ollama:{name}:{tag}"),
        }
    }
}

impl fmt::Display for RepoRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repo)?;
        if self.revision != MAIN {
            write!(f, "@{}", self.revision)?;
        }
        match &self.tag {
            Tag::Default => Ok(()),
            Tag::Quant(tag) | Tag::File(tag) => write!(f, ":{tag}"),
        }
    }
}

impl Tag {
    fn parse(text: &str) -> Self {
        match text {
            "" => Self::Default,
            file if parse::is_gguf(file) => Self::File(file.to_owned()),
            quant => Self::Quant(quant.to_owned()),
        }
    }

    /// For messages: what was asked for.
    pub(crate) fn wanted(&self) -> &str {
        match self {
            Self::Default => "*.gguf",
            Self::Quant(text) | Self::File(text) => text,
        }
    }
}
