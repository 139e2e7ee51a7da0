//! Which servers there are, in the form that other programs' files have.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::Error;

/// Servers by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Those that are not disabled.
    pub servers: BTreeMap<String, Server>,
}

/// How a server is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Server {
    /// A program, spoken with over its pipes.
    Program {
        /// Its name or path.
        command: String,
        /// Its arguments.
        args: Vec<String>,
        /// Variables beside ours.
        env: BTreeMap<String, String>,
        /// Where it runs.
        cwd: Option<PathBuf>,
    },
    /// A server, by streamable HTTP.
    Http {
        /// Its address.
        url: String,
        /// Headers of every request.
        headers: BTreeMap<String, String>,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "mcpServers")]
    servers: BTreeMap<String, Entry>,
}

/// What an entry may hold. What would give consent in advance is read and not heeded: that is said where it counts.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(rename = "type", alias = "transport")]
    kind: Option<String>,
    command: Option<String>,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    cwd: Option<PathBuf>,
    url: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    disabled: bool,
    #[serde(rename = "autoApprove")]
    _auto_approve: Option<IgnoredAny>,
    #[serde(rename = "alwaysAllow")]
    _always_allow: Option<IgnoredAny>,
    #[serde(rename = "description")]
    _description: Option<IgnoredAny>,
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read, or is not as it should be.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|error| Error::File {
            path: path.to_owned(),
            error,
        })?;
        Self::parse(&text).map_err(|message| Error::Config {
            path: path.to_owned(),
            message,
        })
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: File = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let mut servers = BTreeMap::new();
        for (name, entry) in file.servers {
            if entry.disabled {
                continue;
            }
            let server = entry
                .server()
                .map_err(|message| format!("`{name}`: {message}"))?;
            servers.insert(name, server);
        }
        Ok(Self { servers })
    }
}

impl Entry {
    fn server(self) -> Result<Server, String> {
        let kind = self.kind.as_deref();
        match (self.command, self.url) {
            (Some(command), None) if matches!(kind, None | Some("stdio")) => {
                if !self.headers.is_empty() {
                    return Err("a program takes no `headers`".to_owned());
                }
                Ok(Server::Program {
                    command,
                    args: self.args,
                    env: self.env,
                    cwd: self.cwd,
                })
            }
            (None, Some(url))
                if matches!(
                    kind,
                    None | Some("http" | "streamable-http" | "streamableHttp")
                ) =>
            {
                if !(url.starts_with("http://") || url.starts_with("https://")) {
                    return Err(format!(
                        "`url`: expected http:// or https://, found `{url}`"
                    ));
                }
                if !self.args.is_empty() || !self.env.is_empty() || self.cwd.is_some() {
                    return Err("a `url` takes no `args`, `env` or `cwd`".to_owned());
                }
                Ok(Server::Http {
                    url,
                    headers: self.headers,
                })
            }
            (Some(_), Some(_)) | (None, None) => {
                Err("expected either `command` or `url`".to_owned())
            }
            _ => Err(format!(
                "`type`: expected `stdio` or `http`, found `{}`",
                kind.unwrap_or_default()
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_are_read() {
        let text = r#"{"mcpServers": {
            "time": {"command": "mcp-server-time", "args": ["--local-timezone", "UTC"], "env": {"A": "1"}},
            "far": {"type": "http", "url": "https://example.org/mcp", "headers": {"Authorization": "Bearer x"}},
            "off": {"command": "x", "disabled": true, "alwaysAllow": ["y"]}
        }}"#;
        let config = Config::parse(text).expect("right");
        assert_eq!(config.servers.keys().collect::<Vec<_>>(), ["far", "time"]);
        assert!(
            matches!(&config.servers["time"], Server::Program { args, env, .. } if args.len() == 2 && env["A"] == "1")
        );
        assert!(
            matches!(&config.servers["far"], Server::Http { headers, .. } if headers.len() == 1)
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (entry, named) in [
            (r#"{}"#, "`command` or `url`"),
            (
                r#"{"command": "a", "url": "http://b"}"#,
                "`command` or `url`",
            ),
            (r#"{"type": "sse", "url": "http://b"}"#, "`sse`"),
            (r#"{"url": "file:///etc/passwd"}"#, "file://"),
            (r#"{"command": "a", "comand": "b"}"#, "comand"),
            (r#"{"url": "http://b", "args": ["x"]}"#, "`args`"),
        ] {
            let text = format!(r#"{{"mcpServers": {{"x": {entry}}}}}"#);
            let message = Config::parse(&text).expect_err(entry);
            assert!(message.contains(named), "{message}");
        }
        assert!(Config::parse("[]").is_err() && Config::parse(r#"{"servers": {}}"#).is_err());
    }
}
