//! Text → [`ModelRef`]: a pure function.

use std::path::PathBuf;

use super::suggest::similar;
use super::{MAIN, ModelRef, RepoRef, Tag};
use crate::catalogue::{CATALOGUE, Entry};
use crate::error::Error;
use crate::remote::url::{Url, percent_decode};

impl ModelRef {
    /// Reads a name; see the table of the forms at [`ModelRef`]. Looks at no file and no network.
    ///
    /// # Errors
    /// [`Error::BadName`], or [`Error::UnknownName`] for a word that is no short name.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let bad = |reason: &str| Error::BadName {
            name: text.to_owned(),
            reason: reason.to_owned(),
        };
        if text.is_empty() {
            return Err(bad("it is empty"));
        }
        if text.chars().any(char::is_control) {
            return Err(bad("it has control characters"));
        }
        if let Some(path) = text.strip_prefix("file://") {
            return file_url(path).ok_or_else(|| bad("a file URL is `file:///absolute/path`"));
        }
        if let Some(rest) = text.strip_prefix("hf://") {
            return parse_repo(rest, text).map(Self::Repo);
        }
        if let Some(name) = text.strip_prefix("ollama:") {
            return parse_ollama(name).ok_or_else(|| bad("Ollama's names are `ollama:name[:tag]`"));
        }
        if text.contains("://") {
            return parse_url(text);
        }
        for prefix in ["hf.co/", "huggingface.co/"] {
            if let Some(rest) = text.strip_prefix(prefix) {
                return parse_repo(rest, text).map(Self::Repo);
            }
        }
        if looks_like_path(text) {
            return Ok(Self::Path(PathBuf::from(text)));
        }
        match text.contains('/') {
            true => parse_repo(text, text).map(Self::Repo),
            false => parse_short(text),
        }
    }
}

/// `org/name`, each part letters, digits, `-`, `_`, `.` as the hub allows: safe as a folder name.
fn is_repo_name(repo: &str) -> bool {
    let part_ok = |part: &str| {
        !part.is_empty()
            && part.len() <= 96
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
            && !part.starts_with(['-', '.'])
            && !part.ends_with(['-', '.'])
            && !part.contains("..")
            && !part.contains("--")
    };
    repo.split_once('/')
        .is_some_and(|(org, name)| part_ok(org) && part_ok(name))
}

/// Branch, tag, commit or `refs/pr/1`: safe as a relative path.
fn is_revision(revision: &str) -> bool {
    revision.len() <= 200
        && revision.split('/').all(|part| {
            !part.is_empty()
                && !part.starts_with('.')
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_.+".contains(&b))
        })
}

fn parse_repo(text: &str, whole: &str) -> Result<RepoRef, Error> {
    let bad = |reason: String| Error::BadName {
        name: whole.to_owned(),
        reason,
    };
    let (place, tag) = match text.split_once(':') {
        Some((_, "")) => return Err(bad("nothing stands after `:`".to_owned())),
        Some((place, tag)) => (place, Tag::parse(tag)),
        None => (text, Tag::Default),
    };
    let (repo, revision) = place.split_once('@').unwrap_or((place, MAIN));
    if repo.matches('/').count() > 1 {
        let mut parts = repo.splitn(3, '/');
        let hub = [parts.next(), parts.next()]
            .map(Option::unwrap_or_default)
            .join("/");
        let file = parts.next().unwrap_or_default();
        return Err(bad(format!(
            "a hub name has one `/` (a file of it is written `{hub}:{file}`, a local path `./{text}`)"
        )));
    }
    if !is_repo_name(repo) {
        return Err(bad(format!("`{repo}` is no `user/repo`")));
    }
    if !is_revision(revision) {
        return Err(bad(format!("`{revision}` is no branch, tag or commit")));
    }
    if !is_tag(&tag) {
        return Err(bad(format!(
            "`{}` is neither a quantisation nor a file name",
            tag.wanted()
        )));
    }
    Ok(RepoRef {
        repo: repo.to_owned(),
        revision: revision.to_owned(),
        tag,
    })
}

fn is_tag(tag: &Tag) -> bool {
    match tag {
        Tag::Default => true,
        Tag::Quant(quant) => {
            quant.len() <= 32
                && quant
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        }
        Tag::File(file) => crate::cache::is_safe_path(file),
    }
}

fn parse_url(text: &str) -> Result<ModelRef, Error> {
    let bad = |reason: &str| Error::BadName {
        name: redact(text),
        reason: reason.to_owned(),
    };
    let url = Url::parse(text).map_err(|reason| bad(&reason))?;
    let is_hub = ["huggingface.co", "hf.co", "www.huggingface.co"].contains(&url.host());
    if let (true, Some(repo)) = (is_hub, parse_hub_page(&url, text)?) {
        return Ok(ModelRef::Repo(repo));
    }
    match url.file_name() {
        Some(name) if is_gguf(&name) && crate::cache::is_safe_path(&name) => {
            Ok(ModelRef::Url(url.to_string()))
        }
        _ => Err(bad("the URL does not end in the name of a .gguf file")),
    }
}

/// `/user/repo`, `/user/repo/tree/rev`, `/user/repo/{blob,resolve}/rev/file`.
fn parse_hub_page(url: &Url, text: &str) -> Result<Option<RepoRef>, Error> {
    let path = percent_decode(url.path()).unwrap_or_default();
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let name = match parts.as_slice() {
        [org, repo] => format!("{org}/{repo}"),
        [org, repo, "tree", rev] => format!("{org}/{repo}@{rev}"),
        [org, repo, "blob" | "resolve" | "raw", rev, file @ ..] if !file.is_empty() => {
            format!("{org}/{repo}@{rev}:{}", file.join("/"))
        }
        _ => return Ok(None),
    };
    parse_repo(&name, text).map(Some)
}

fn parse_short(text: &str) -> Result<ModelRef, Error> {
    if let Some(entry) = Entry::find(text) {
        return Ok(ModelRef::Catalogue(entry));
    }
    if let Some((name, tag)) = text.split_once(':') {
        let entry = Entry::find(name).filter(|_| crate::select::quant_of(tag).is_some());
        if let Some(entry) = entry {
            let revision = MAIN.to_owned();
            return Ok(ModelRef::Repo(RepoRef {
                repo: entry.repo.to_owned(),
                revision,
                tag: Tag::parse(tag),
            }));
        }
    }
    Err(Error::UnknownName {
        name: text.to_owned(),
        similar: similar(text),
        known: CATALOGUE
            .iter()
            .map(|entry| entry.name.to_owned())
            .collect(),
    })
}

/// `name`, `name:tag`, `namespace/name:tag`.
fn parse_ollama(text: &str) -> Option<ModelRef> {
    let (name, tag) = text.split_once(':').unwrap_or((text, "latest"));
    let (namespace, model) = name.split_once('/').unwrap_or(("library", name));
    let valid = [namespace, model, tag]
        .iter()
        .all(|part| crate::cache::is_safe_name(part));
    valid.then(|| ModelRef::Ollama {
        name: name.to_owned(),
        tag: tag.to_owned(),
    })
}

fn looks_like_path(text: &str) -> bool {
    let drive = text.len() >= 3
        && text.as_bytes()[0].is_ascii_alphabetic()
        && (text[1..].starts_with(":\\") || text[1..].starts_with(":/"));
    text == "."
        || text == ".."
        || ["/", "./", "../", "~/", "\\", ".\\", "..\\"]
            .iter()
            .any(|p| text.starts_with(p))
        || drive
        || is_gguf(text) && !text.contains(':')
}

fn file_url(rest: &str) -> Option<ModelRef> {
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    let path = percent_decode(path)?;
    path.starts_with('/')
        .then(|| ModelRef::Path(PathBuf::from(path)))
}

/// Whether the name ends in `.gguf`, in any case.
pub(super) fn is_gguf(name: &str) -> bool {
    name.len() > 5 && name.to_ascii_lowercase().ends_with(".gguf")
}

/// Names may carry a password; messages must not.
fn redact(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, rest)), Some((_, host))) if rest.contains('@') => {
            format!("{scheme}://…@{host}")
        }
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repo(name: &str, revision: &str, tag: Tag) -> ModelRef {
        ModelRef::Repo(RepoRef {
            repo: name.into(),
            revision: revision.into(),
            tag,
        })
    }

    #[test]
    fn parses_every_kind_of_name() {
        let quant = |text: &str| Tag::Quant(text.to_owned());
        let file = |text: &str| Tag::File(text.to_owned());
        let path = |text: &str| ModelRef::Path(text.into());
        let ollama = |name: &str, tag: &str| ModelRef::Ollama {
            name: name.into(),
            tag: tag.into(),
        };
        let table = [
            ("a/b", repo("a/b", "main", Tag::Default)),
            (" a/b:Q8_0 ", repo("a/b", "main", quant("Q8_0"))),
            ("a/b:q4_k_m", repo("a/b", "main", quant("q4_k_m"))),
            ("a/b:x-Q4_0.gguf", repo("a/b", "main", file("x-Q4_0.gguf"))),
            ("a/b:sub/x.gguf", repo("a/b", "main", file("sub/x.gguf"))),
            ("a/b@v1.0:Q8_0", repo("a/b", "v1.0", quant("Q8_0"))),
            ("a/b@refs/pr/1", repo("a/b", "refs/pr/1", Tag::Default)),
            ("hf.co/a/b:IQ4_XS", repo("a/b", "main", quant("IQ4_XS"))),
            ("huggingface.co/a/b", repo("a/b", "main", Tag::Default)),
            ("hf://a/b", repo("a/b", "main", Tag::Default)),
            (
                "https://huggingface.co/a/b",
                repo("a/b", "main", Tag::Default),
            ),
            (
                "https://hf.co/a/b/tree/dev",
                repo("a/b", "dev", Tag::Default),
            ),
            (
                "https://huggingface.co/a/b/blob/main/x%201.gguf?download=true",
                repo("a/b", "main", file("x 1.gguf")),
            ),
            (
                "https://h.org/d/x.gguf",
                ModelRef::Url("https://h.org/d/x.gguf".into()),
            ),
            (
                "http://127.0.0.1:1/x.GGUF?a=b",
                ModelRef::Url("http://127.0.0.1:1/x.GGUF?a=b".into()),
            ),
            ("/m/x.gguf", path("/m/x.gguf")),
            ("./m", path("./m")),
            ("../m", path("../m")),
            (".", path(".")),
            ("x.gguf", path("x.gguf")),
            ("m/x.gguf", path("m/x.gguf")),
            ("m/n/x.gguf", path("m/n/x.gguf")),
            ("C:\\m\\x.gguf", path("C:\\m\\x.gguf")),
            ("file:///m/x%20y.gguf", path("/m/x y.gguf")),
            ("file://localhost/m/x.gguf", path("/m/x.gguf")),
            ("ollama:qwen3", ollama("qwen3", "latest")),
            ("ollama:me/qwen3:8b", ollama("me/qwen3", "8b")),
            ("smollm2", ModelRef::Catalogue(&CATALOGUE[0])),
            ("SmolLM2:135M", ModelRef::Catalogue(&CATALOGUE[0])),
            (
                "smollm2:Q8_0",
                repo(CATALOGUE[0].repo, "main", quant("Q8_0")),
            ),
        ];
        for (text, expected) in table {
            assert_eq!(ModelRef::parse(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn shown_names_parse_back() {
        for text in [
            "a/b",
            "a/b:Q8_0",
            "a/b@dev:x.gguf",
            "gemma3:270m",
            "https://h.org/x.gguf",
            "./m",
        ] {
            assert_eq!(ModelRef::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn refuses_what_is_no_name() {
        let table = [
            ("", "empty"),
            ("a/b:", "nothing stands after"),
            ("a/b/c", "one `/`"),
            ("a/../b:x", "one `/`"),
            ("../a:x/\u{7}", "control"),
            ("a/..", "no `user/repo`"),
            ("a--b/c", "no `user/repo`"),
            ("a/b:../../x.gguf", "neither a quantisation"),
            ("a/b@../x:Q8_0", "no branch"),
            ("a/b@..:Q8_0", "no branch"),
            ("https://h.org/x.bin", "does not end"),
            ("https://h.org/", "does not end"),
            ("https://me:secret@h.org/x.gguf", "password"),
            ("ftp://h.org/x.gguf", "https"),
            ("file://relative", "file URL"),
            ("ollama:../x", "Ollama's names"),
            ("ollama:a/b/c", "Ollama's names"),
        ];
        for (text, reason) in table {
            let error = ModelRef::parse(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn unknown_words_get_suggestions() {
        let table = [
            ("smolm2", "smollm2"),
            ("gemma3", "gemma3:270m"),
            ("qwen-2.5-coder", "qwen2.5-coder"),
        ];
        for (text, expected) in table {
            let Err(Error::UnknownName { similar, known, .. }) = ModelRef::parse(text) else {
                panic!("{text} should be unknown");
            };
            assert_eq!(
                similar.first().map(String::as_str),
                Some(expected),
                "{text}: {similar:?}"
            );
            assert!(known.len() > 5);
        }
        let error = ModelRef::parse("zzzzzzzzz").unwrap_err().to_string();
        assert!(
            !error.contains("did you mean") && error.contains("`smollm2`"),
            "{error}"
        );
    }
}
