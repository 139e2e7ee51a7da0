//! Just enough of RFC 3986 for http addresses: parse, compare origins, follow a `Location`.
//!
//! User names and passwords in an address are refused: they would end up in messages and logs.

use std::fmt;

/// An absolute http or https address without fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    https: bool,
    /// Lower case; with brackets if it is an IPv6 address.
    host: String,
    port: u16,
    /// Path, and query if any; starts with `/`.
    target: String,
}

impl Url {
    /// The reason is one clause without full stop.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").ok_or("it is no URL")?;
        let https = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err("only https (and http) addresses are known".to_owned()),
        };
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("a URL has only printable ASCII characters".to_owned());
        }
        let rest = rest.split('#').next().unwrap_or(rest);
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(end);
        if authority.contains('@') {
            return Err("a user name or password cannot stand in a URL".to_owned());
        }
        let (host, port) = split_port(authority)?;
        let target = if tail.starts_with('/') {
            tail.to_owned()
        } else {
            format!("/{tail}")
        };
        let port = port.unwrap_or(if https { 443 } else { 80 });
        Ok(Self {
            https,
            host: host.to_ascii_lowercase(),
            port,
            target,
        })
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn is_https(&self) -> bool {
        self.https
    }

    /// Path without query, still percent-encoded.
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or(&self.target)
    }

    /// The last component of the path, decoded.
    pub(crate) fn file_name(&self) -> Option<String> {
        percent_decode(self.path().rsplit('/').next()?)
    }

    /// The same address with another last component (given decoded).
    pub(crate) fn with_file_name(&self, name: &str) -> Self {
        if self.file_name().as_deref() == Some(name) {
            return self.clone();
        }
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let query = if query.is_empty() {
            String::new()
        } else {
            format!("?{query}")
        };
        Self {
            target: format!("{folder}/{}{query}", percent_encode(name)),
            ..self.clone()
        }
    }

    /// Host, and port unless it is the usual one: how messages name a server.
    pub(crate) fn authority(&self) -> String {
        match (self.https, self.port) {
            (true, 443) | (false, 80) => self.host.clone(),
            (_, port) => format!("{}:{port}", self.host),
        }
    }

    /// Same scheme, host and port.
    pub(crate) fn same_origin(&self, other: &Self) -> bool {
        (self.https, &self.host, self.port) == (other.https, &other.host, other.port)
    }

    /// This machine, by name or number.
    pub(crate) fn is_loopback(&self) -> bool {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost"
            || host
                .parse()
                .is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
    }

    /// The address that a `Location` header means.
    pub(crate) fn join(&self, location: &str) -> Result<Self, String> {
        let scheme = if self.https { "https" } else { "http" };
        let authority = format!("{scheme}://{}", self.authority());
        if let Some(rest) = location.strip_prefix("//") {
            return Self::parse(&format!("{scheme}://{rest}"));
        }
        if location.starts_with('/') {
            return Self::parse(&format!("{authority}{location}"));
        }
        if location.contains("://") {
            return Self::parse(location);
        }
        let folder = self
            .path()
            .rsplit_once('/')
            .map_or("", |(folder, _)| folder);
        Self::parse(&format!("{authority}{folder}/{location}"))
    }

    /// The address without its query, which may hold a signature: for messages.
    pub(crate) fn shown(&self) -> String {
        self.to_string()
            .split('?')
            .next()
            .unwrap_or_default()
            .to_owned()
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.target)
    }
}

fn split_port(authority: &str) -> Result<(&str, Option<u16>), String> {
    let host_end = authority.rfind(']').map_or(0, |at| at + 1);
    let (host, port) = match authority[host_end..].rfind(':') {
        Some(at) => (
            &authority[..host_end + at],
            Some(&authority[host_end + at + 1..]),
        ),
        None => (authority, None),
    };
    let host_ok = |b: u8| b.is_ascii_alphanumeric() || b"-._[]:".contains(&b);
    if host.is_empty() || !host.bytes().all(host_ok) {
        return Err(format!("`{host}` is no host name"));
    }
    match port {
        None | Some("") => Ok((host, None)),
        Some(port) => match port.parse() {
            Ok(port) => Ok((host, Some(port))),
            Err(_) => Err(format!("`{port}` is no port")),
        },
    }
}

/// Encodes a path for a URL, leaving `/` as it is.
pub(crate) fn percent_encode(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

/// Decodes `%20` and the like; `None` if the result is no UTF-8 or an escape is cut.
pub(crate) fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next()?, rest.next()?].map(|digit| char::from(digit).to_digit(16));
        bytes.push(u8::try_from(digits[0]? * 16 + digits[1]?).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_and_shows() {
        let table = [
            ("https://H.org", "https://h.org/"),
            ("https://h.org:443/a?b=c#d", "https://h.org/a?b=c"),
            ("http://127.0.0.1:8080/x", "http://127.0.0.1:8080/x"),
            ("http://[::1]:80?q", "http://[::1]/?q"),
        ];
        for (text, expected) in table {
            assert_eq!(Url::parse(text).unwrap().to_string(), expected);
        }
        for text in [
            "h.org/x",
            "ftp://h/x",
            "https://",
            "https://a:b/x",
            "https://u@h/x",
            "https://h/ä",
        ] {
            assert!(Url::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn follows_locations() {
        let base = Url::parse("https://h.org/a/b?q=1").unwrap();
        let table = [
            ("/c", "https://h.org/c"),
            ("c", "https://h.org/a/c"),
            ("//cdn.org/c?s", "https://cdn.org/c?s"),
            ("http://cdn.org/c", "http://cdn.org/c"),
        ];
        for (location, expected) in table {
            assert_eq!(base.join(location).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn origins() {
        let url = |text| Url::parse(text).unwrap();
        assert!(url("https://h.org/a").same_origin(&url("https://H.ORG:443/b")));
        for other in [
            "http://h.org",
            "https://h.org:444",
            "https://h.org.evil.com",
            "https://x.h.org",
        ] {
            assert!(!url("https://h.org").same_origin(&url(other)), "{other}");
        }
        assert!(url("http://localhost:1").is_loopback() && url("http://[::1]").is_loopback());
        assert!(!url("http://127.0.0.1.evil.com").is_loopback());
    }

    #[test]
    fn percent_coding() {
        assert_eq!(percent_encode("a b/ä#?.gguf"), "a%20b/%C3%A4%23%3F.gguf");
        assert_eq!(percent_decode("a%20b%C3%A4").as_deref(), Some("a bä"));
        assert_eq!(percent_decode("%2"), None);
        assert_eq!(percent_decode("%ff"), None);
    }
}
