//! Where a server is: `host`, `host:port`, `http://host:port/prefix`.

use std::fmt;

use crate::failure::Failure;

/// Our port, and Ollama's.
pub(super) const PORT: u16 = 8080;
const OLLAMA_PORT: u16 = 11434;

/// An address, as what paths are put behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address(String);

impl Default for Address {
    fn default() -> Self {
        Self(format!("http://127.0.0.1:{PORT}"))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What `INGLE_HOST` says, or else `OLLAMA_HOST`, if either does.
///
/// # Errors
/// If that is no address.
pub(crate) fn from_env() -> Result<Option<Address>, Failure> {
    let var = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let ours = var("INGLE_HOST").map(|host| Address::parse(&host, PORT));
    let theirs = || var("OLLAMA_HOST").map(|host| Address::parse(&host, OLLAMA_PORT));
    ours.or_else(theirs).transpose()
}

impl Address {
    /// Reads an address; `port` is that of addresses without one and without a scheme.
    ///
    /// # Errors
    /// If it is none.
    pub(super) fn parse(text: &str, port: u16) -> Result<Self, Failure> {
        let text = text.trim().trim_end_matches('/');
        let wrong = || {
            Failure::Usage(format!(
                "`{text}` is no address of a server\nhint: as in `http://127.0.0.1:8080`"
            ))
        };
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        if !matches!(scheme, "http" | "https") {
            return Err(wrong());
        }
        let (host, path) = rest
            .split_once('/')
            .map_or((rest, String::new()), |(host, path)| {
                (host, format!("/{path}"))
            });
        let (name, given) = match host.rsplit_once(':') {
            // The colons of `[::1]` are no port's.
            Some((name, given)) if !given.contains(']') => (name, Some(given)),
            _ => (host, None),
        };
        let plain = |c: char| !c.is_whitespace() && !matches!(c, '/' | '@' | '?' | '#');
        if !name.chars().all(plain) || name.is_empty() && given.is_none() {
            return Err(wrong());
        }
        // Whoever listens everywhere is reached here.
        let name = match name {
            "" | "0.0.0.0" | "*" => "127.0.0.1",
            "[::]" => "[::1]",
            name => name,
        };
        let port = match given {
            Some(given) => format!(":{}", given.parse::<u16>().map_err(|_| wrong())?),
            None if text.contains("://") => String::new(),
            None => format!(":{port}"),
        };
        Ok(Self(format!("{scheme}://{name}{port}{path}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_in_all_their_forms() {
        for (text, expected) in [
            ("localhost", "http://localhost:8080"),
            ("10.0.0.7:9", "http://10.0.0.7:9"),
            (":9", "http://127.0.0.1:9"),
            ("0.0.0.0:11434", "http://127.0.0.1:11434"),
            ("[::1]", "http://[::1]:8080"),
            ("[::]:80", "http://[::1]:80"),
            ("https://example.org/llm/", "https://example.org/llm"),
        ] {
            assert_eq!(
                Address::parse(text, PORT).expect(text).to_string(),
                expected
            );
        }
        for wrong in ["", "ftp://x", "x:port", "a b", "http://u@h:1", ":99999"] {
            assert!(Address::parse(wrong, PORT).is_err(), "{wrong}");
        }
    }
}
