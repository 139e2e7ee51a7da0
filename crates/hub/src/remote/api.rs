//! The hub's two questions: what is in a repository, and what is this file.
//!
//! `GET /api/models/{repo}/revision/{rev}?blobs=true` lists names, sizes and SHA-256 sums in one
//! answer; mirrors that lack it have `GET /api/models/{repo}/tree/{rev}?recursive=true`, in pages.
//! `HEAD /{repo}/resolve/{rev}/{file}` answers with the commit (`X-Repo-Commit`), the content hash
//! (`X-Linked-Etag`) and the size (`X-Linked-Size`), as a rule on a redirect to a CDN.
//! (Facts from the client library `huggingface_hub`.)

use serde_json::Value;

use super::http::{Answer, Ask, Failure, Http, printable, protocol};
use super::retry::{request, status_error, unreachable};
use super::url::{Url, percent_encode};
use crate::cache::{is_safe_name, is_safe_path};
use crate::config::Retry;
use crate::error::Error;
use crate::model_ref::{RepoRef, Tag};
use crate::progress::Meter;
use crate::select::{all_parts, is_model};

/// A repository at one revision.
#[derive(Debug)]
pub(crate) struct Listing {
    /// Full commit hash, if the answer had one.
    pub(crate) commit: Option<String>,
    pub(crate) files: Vec<RemoteFile>,
}

/// A file as listed.
#[derive(Clone, Debug)]
pub(crate) struct RemoteFile {
    /// Path in the repository; checked to stay inside a folder.
    pub(crate) path: String,
    /// SHA-256 of large files.
    pub(crate) sha256: Option<String>,
}

/// What `resolve` says about a file.
#[derive(Clone, Debug)]
pub(crate) struct FileHead {
    /// Where to download it.
    pub(crate) url: Url,
    /// Content hash without quotes; safe as a file name.
    pub(crate) etag: String,
    /// Validator for `If-Range`: the quoted etag, if the file comes from the very server that
    /// gave it. A CDN behind a redirect has etags of its own and would never match.
    pub(crate) if_range: Option<String>,
    pub(crate) size: Option<u64>,
    pub(crate) commit: Option<String>,
}

impl Listing {
    /// As if the repository held this file (all its parts) and nothing else.
    fn only(file: &str) -> Self {
        let remote = |path| RemoteFile { path, sha256: None };
        let files = all_parts(file).into_iter().map(remote).collect();
        Self {
            commit: None,
            files,
        }
    }
}

/// Listings are not longer than this.
const LISTING_LIMIT: u64 = 64 << 20;
const MAX_PAGES: usize = 200;

/// Lists the repository.
///
/// # Errors
/// Unreachable, refused, not found, or a wrong answer.
pub(crate) fn list(
    http: &Http,
    retry: &Retry,
    repo: &RepoRef,
    meter: &mut Meter<'_>,
) -> Result<Listing, Error> {
    let base = format!("/api/models/{}", repo.repo);
    let revision = percent_encode(&repo.revision).replace('/', "%2F");
    let url = http.at_endpoint(&format!("{base}/revision/{revision}?blobs=true"))?;
    let answer = request(http, retry, &url, Ask::default(), meter)?;
    if answer.status == 404 && answer.header("x-error-code").is_none() {
        let url = http.at_endpoint(&format!("{base}/tree/{revision}?recursive=true"))?;
        return match (list_tree(http, retry, repo, url, meter), &repo.tag) {
            // A plain file server in the hub's shape: the file itself will tell.
            (Err(Error::NotFound { .. }), Tag::File(file)) => Ok(Listing::only(file)),
            (outcome, _) => outcome,
        };
    }
    let (json, url) = json_body(answer, &repo_at(repo))?;
    let commit = json.get("sha").and_then(Value::as_str).map(str::to_owned);
    let siblings = json.get("siblings").and_then(Value::as_array);
    let siblings = siblings.ok_or_else(|| protocol(&url, "no `siblings` in it".to_owned()))?;
    let files = siblings.iter().filter_map(|file| {
        Some((
            file.get("rfilename")?.as_str()?,
            file.pointer("/lfs/sha256").and_then(Value::as_str),
        ))
    });
    listing(&url, commit, files)
}

fn list_tree(
    http: &Http,
    retry: &Retry,
    repo: &RepoRef,
    first: Url,
    meter: &mut Meter<'_>,
) -> Result<Listing, Error> {
    let mut next = Some(first);
    let mut entries = Vec::new();
    for _ in 0..MAX_PAGES {
        let Some(url) = next.take() else { break };
        let answer = request(http, retry, &url, Ask::default(), meter)?;
        next = answer
            .header("link")
            .and_then(next_page)
            .and_then(|link| url.join(link).ok());
        next = next.filter(|next| next.same_origin(&url));
        let (json, url) = json_body(answer, &repo_at(repo))?;
        match json {
            Value::Array(page) => {
                entries.extend(page.into_iter().map(|entry| (url.clone(), entry)))
            }
            _ => return Err(protocol(&url, "expected a JSON array".to_owned())),
        }
    }
    let url = http.at_endpoint("/")?;
    let files = entries.iter().filter_map(|(_, entry)| {
        let is_file = entry.get("type").and_then(Value::as_str) != Some("directory");
        let sha256 = entry.pointer("/lfs/oid").and_then(Value::as_str);
        is_file.then_some((entry.get("path")?.as_str()?, sha256))
    });
    listing(&url, None, files)
}

/// Asks for one file of the repository.
///
/// # Errors
/// As [`list`]; [`Error::UnsafeName`] for an etag or commit that is no plain word.
pub(crate) fn head(
    http: &Http,
    retry: &Retry,
    repo: &RepoRef,
    revision: &str,
    file: &RemoteFile,
    meter: &mut Meter<'_>,
) -> Result<FileHead, Error> {
    let revision = percent_encode(revision).replace('/', "%2F");
    let path = format!(
        "/{}/resolve/{revision}/{}",
        repo.repo,
        percent_encode(&file.path)
    );
    let url = http.at_endpoint(&path)?;
    let answer = head_or_get(http, retry, &url, meter)?;
    if !(answer.status < 300 || answer.redirect.is_some()) {
        return Err(status_error(
            answer,
            &format!("{}:{}", repo_at(repo), file.path),
            0,
            None,
        ));
    }
    let host = answer.url.authority();
    let commit = match answer.header("x-repo-commit") {
        Some(commit) => Some(safe_word(&host, "commit", commit)?),
        None => None,
    };
    let quoted = answer.header("x-linked-etag").or_else(|| {
        answer
            .redirect
            .is_none()
            .then(|| answer.header("etag"))
            .flatten()
    });
    let etag = match quoted.map(plain_etag).or(file.sha256.as_deref()) {
        Some(etag) => safe_word(&host, "etag", etag)?,
        None => {
            return Err(protocol(
                &url,
                "neither `X-Linked-Etag` nor `ETag` in it".to_owned(),
            ));
        }
    };
    let own_length = answer
        .redirect
        .is_none()
        .then(|| answer.number("content-length"))
        .flatten();
    Ok(FileHead {
        if_range: answer
            .header("etag")
            .filter(|etag| answer.redirect.is_none() && etag.starts_with('"'))
            .map(str::to_owned),
        size: answer.number("x-linked-size").or(own_length),
        url,
        etag,
        commit,
    })
}

/// Asks for a file at any address (not a hub).
pub(crate) fn head_url(
    http: &Http,
    retry: &Retry,
    url: &Url,
    meter: &mut Meter<'_>,
) -> Result<FileHead, Error> {
    let answer = request(
        http,
        retry,
        url,
        Ask {
            head: true,
            leave_host: true,
            ..Ask::default()
        },
        meter,
    )?;
    let usable = answer.status < 300;
    if !usable && !matches!(answer.status, 403 | 405 | 501) {
        return Err(status_error(answer, &url.shown(), 0, None));
    }
    // Some servers refuse HEAD and still serve the file: then nothing is known beforehand.
    let header = |name| answer.header(name).filter(|_| usable).map(str::to_owned);
    let etag = header("etag").filter(|etag| etag.starts_with('"'));
    Ok(FileHead {
        url: url.clone(),
        etag: etag
            .clone()
            .or_else(|| header("last-modified"))
            .unwrap_or_default(),
        if_range: etag,
        size: answer.number("content-length").filter(|_| usable),
        commit: None,
    })
}

fn head_or_get(
    http: &Http,
    retry: &Retry,
    url: &Url,
    meter: &mut Meter<'_>,
) -> Result<Answer, Error> {
    let answer = request(
        http,
        retry,
        url,
        Ask {
            head: true,
            ..Ask::default()
        },
        meter,
    )?;
    match answer.status {
        405 | 501 => request(http, retry, url, Ask::default(), meter),
        _ => Ok(answer),
    }
}

fn json_body(answer: Answer, what: &str) -> Result<(Value, Url), Error> {
    if answer.status != 200 {
        return Err(status_error(answer, what, 0, None));
    }
    let url = answer.url.clone();
    let text = answer
        .into_text(LISTING_LIMIT)
        .map_err(|failure| match failure {
            Failure::Fatal(error) => error,
            Failure::Unreachable(reason) | Failure::Broken(reason) => unreachable(&url, reason),
        })?;
    let json = serde_json::from_str(&text).map_err(|error| {
        protocol(
            &url,
            format!("expected JSON, found something else ({error})"),
        )
    })?;
    Ok((json, url))
}

fn listing<'a>(
    url: &Url,
    commit: Option<String>,
    files: impl Iterator<Item = (&'a str, Option<&'a str>)>,
) -> Result<Listing, Error> {
    let host = url.authority();
    let commit = commit
        .map(|commit| safe_word(&host, "commit", &commit))
        .transpose()?;
    // An odd name of some other file is none of our business.
    let files = files.filter(|(path, _)| is_safe_path(path) || is_model(path));
    let files = files.map(|(path, sha256)| {
        if !is_safe_path(path) {
            let value = path.escape_debug().to_string();
            return Err(Error::UnsafeName {
                host: host.clone(),
                what: "file name",
                value,
            });
        }
        let sha256 = sha256
            .filter(|hash| is_sha256(hash))
            .map(str::to_ascii_lowercase);
        Ok(RemoteFile {
            path: path.to_owned(),
            sha256,
        })
    });
    Ok(Listing {
        commit,
        files: files.collect::<Result<_, _>>()?,
    })
}

/// The `rel="next"` address of a `Link` header.
fn next_page(link: &str) -> Option<&str> {
    link.split(',')
        .find(|part| part.contains("rel=\"next\""))
        .and_then(|part| part.trim().strip_prefix('<')?.split('>').next())
}

fn repo_at(repo: &RepoRef) -> String {
    match repo.revision.as_str() {
        crate::model_ref::MAIN => repo.repo.clone(),
        revision => format!("{}@{revision}", repo.repo),
    }
}

/// `W/"abc"` → `abc`.
fn plain_etag(etag: &str) -> &str {
    etag.strip_prefix("W/").unwrap_or(etag).trim_matches('"')
}

fn safe_word(host: &str, what: &'static str, value: &str) -> Result<String, Error> {
    if is_safe_name(value) {
        return Ok(value.to_owned());
    }
    let value = printable(&value.escape_debug().to_string(), 100);
    Err(Error::UnsafeName {
        host: host.to_owned(),
        what,
        value,
    })
}

/// 64 hex digits.
pub(crate) fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_etags_and_links() {
        assert_eq!(plain_etag("W/\"ab\""), "ab");
        assert_eq!(plain_etag("\"ab\""), "ab");
        let link = "<https://h/a?cursor=1>; rel=\"prev\", <https://h/a?cursor=2>; rel=\"next\"";
        assert_eq!(next_page(link), Some("https://h/a?cursor=2"));
        assert_eq!(next_page("<https://h/a>; rel=\"prev\""), None);
    }
}
