//! One blocking HTTP request at a time, with the rules that keep the token safe.
//!
//! - The token goes to the configured endpoint's origin (scheme, host, port) and nowhere else; it
//!   is decided anew at every hop, because redirects are followed here and not by the library.
//! - An encrypted connection is never redirected to a plain one.
//! - Proxies come from the environment as usual; this machine is always asked directly.

use std::io::Read;
use std::time::Duration;

use ureq::Agent;
use ureq::http::{HeaderMap, Request, header};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

use super::url::Url;
use crate::config::{Config, Token};
use crate::error::Error;

/// A client bound to one endpoint.
pub(crate) struct Http {
    agent: Agent,
    /// Without proxy.
    local_agent: Agent,
    endpoint: Url,
    token: Option<Token>,
}

/// What to ask for.
#[derive(Clone, Copy, Default)]
pub(crate) struct Ask<'a> {
    /// Only the head of the answer.
    pub(crate) head: bool,
    /// From this byte on.
    pub(crate) from: Option<u64>,
    /// Honour the range only if the file still has this etag (quotes included).
    pub(crate) if_range: Option<&'a str>,
    /// Follow redirects to other hosts; those on the same host are always followed.
    pub(crate) leave_host: bool,
}

/// An answer, redirects followed.
pub(crate) struct Answer {
    /// Of the last hop.
    pub(crate) status: u16,
    /// Of the last hop.
    pub(crate) headers: HeaderMap,
    /// Where the answer came from.
    pub(crate) url: Url,
    /// Whether the token went with the last request.
    pub(crate) token_sent: bool,
    /// The redirect that was not followed because it leaves the host.
    pub(crate) redirect: Option<Url>,
    body: ureq::Body,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// No connection at all.
    Unreachable(String),
    /// A connection that broke or timed out; worth another attempt.
    Broken(String),
    /// Retrying is no use.
    Fatal(Error),
}

const MAX_REDIRECTS: usize = 10;
const USER_AGENT: &str = concat!("ingle/", env!("CARGO_PKG_VERSION"));

impl Http {
    pub(crate) fn new(config: &Config) -> Result<Self, Error> {
        let endpoint = Url::parse(&config.endpoint).map_err(|reason| Error::NotPossible {
            what: format!("HF_ENDPOINT is `{}`: {reason}", config.endpoint),
        })?;
        let tls = TlsConfig::builder().root_certs(root_certs(config)?).build();
        let builder = || {
            Agent::config_builder()
                .http_status_as_error(false)
                .max_redirects(0)
                .tls_config(tls.clone())
                .user_agent(USER_AGENT)
                .accept_encoding("identity")
                .timeout_resolve(Some(config.timeouts.connect))
                .timeout_connect(Some(config.timeouts.connect))
                .timeout_recv_response(Some(config.timeouts.response))
                .timeout_per_read(Some(config.timeouts.idle))
        };
        Ok(Self {
            agent: builder().build().into(),
            local_agent: builder().proxy(None).build().into(),
            endpoint,
            token: config.token.clone(),
        })
    }

    /// An address on the endpoint; `path` starts with `/`.
    pub(crate) fn at_endpoint(&self, path: &str) -> Result<Url, Error> {
        let base = self.endpoint.to_string();
        Url::parse(&format!("{}{path}", base.trim_end_matches('/'))).map_err(|reason| {
            Error::NotPossible {
                what: format!("`{path}`: {reason}"),
            }
        })
    }

    /// Refuses plain http unless it goes to this machine or to the configured endpoint.
    pub(crate) fn check_secure(&self, url: &Url) -> Result<(), Error> {
        if url.is_https() || url.is_loopback() || url.same_origin(&self.endpoint) {
            return Ok(());
        }
        Err(Error::Insecure { url: url.shown() })
    }

    /// Sends a GET or HEAD and follows redirects.
    pub(crate) fn send(&self, url: &Url, ask: Ask<'_>) -> Result<Answer, Failure> {
        let mut url = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let answer = self.send_once(&url, ask)?;
            let location = match answer.status {
                301 | 302 | 303 | 307 | 308 => text(&answer.headers, header::LOCATION),
                _ => None,
            };
            let Some(location) = location else {
                return Ok(answer);
            };
            let protocol = |reason| Failure::Fatal(protocol(&url, reason));
            let next = url
                .join(location)
                .map_err(|reason| protocol(format!("redirect: {reason}")))?;
            if url.is_https() && !next.is_https() {
                return Err(protocol(format!(
                    "it redirects to plain http, `{}`",
                    next.shown()
                )));
            }
            if !ask.leave_host && !next.same_origin(&url) {
                return Ok(Answer {
                    redirect: Some(next),
                    ..answer
                });
            }
            url = next;
        }
        Err(Failure::Fatal(protocol(
            &url,
            format!("more than {MAX_REDIRECTS} redirects"),
        )))
    }

    fn send_once(&self, url: &Url, ask: Ask<'_>) -> Result<Answer, Failure> {
        let method = if ask.head { "HEAD" } else { "GET" };
        let mut request = Request::builder().method(method).uri(url.to_string());
        if let Some(from) = ask.from {
            request = request.header(header::RANGE, format!("bytes={from}-"));
            if let Some(etag) = ask.if_range {
                request = request.header(header::IF_RANGE, etag);
            }
        }
        let token = self
            .token
            .as_ref()
            .filter(|_| url.same_origin(&self.endpoint));
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, token.header());
        }
        let request = request
            .body(())
            .map_err(|error| Failure::Fatal(protocol(url, error.to_string())))?;
        let agent = if url.is_loopback() {
            &self.local_agent
        } else {
            &self.agent
        };
        let response = agent.run(request).map_err(|error| failure(url, error))?;
        let (head, body) = response.into_parts();
        Ok(Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            url: url.clone(),
            token_sent: token.is_some(),
            redirect: None,
            body,
        })
    }
}

impl Answer {
    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok().map(str::trim)
    }

    /// A header as a number.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.header(name)?.parse().ok()
    }

    /// The pause that a 429 or 503 asks for. Only the form in seconds is read.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.number("retry-after").map(Duration::from_secs)
    }

    /// The body as a stream.
    pub(crate) fn into_reader(self) -> impl Read {
        self.body.into_reader()
    }

    /// The body as text, if it is not longer than `limit`.
    pub(crate) fn into_text(self, limit: u64) -> Result<String, Failure> {
        let url = self.url;
        let bytes = self.body.into_with_config().limit(limit).read_to_vec();
        let bytes = bytes.map_err(|error| failure(&url, error))?;
        String::from_utf8(bytes)
            .map_err(|_| Failure::Fatal(protocol(&url, "the answer is no UTF-8".to_owned())))
    }

    /// The server's own words about an error: header, JSON `error` field, or nothing.
    pub(crate) fn into_message(self) -> String {
        let from_header = self.header("x-error-message").map(str::to_owned);
        let message = from_header.or_else(|| {
            let text = self.into_text(8 * 1024).ok()?;
            let json: serde_json::Value = serde_json::from_str(&text).ok()?;
            Some(json.get("error")?.as_str()?.to_owned())
        });
        printable(&message.unwrap_or_default(), 200)
    }
}

/// The certificates of the settings' file, or the built-in ones.
fn root_certs(config: &Config) -> Result<RootCerts, Error> {
    let Some(path) = &config.ca_file else {
        return Ok(RootCerts::WebPki);
    };
    let pem = std::fs::read(path).map_err(|error| Error::io("read certificates", path, error))?;
    // Bundles of operating systems hold comments and the odd broken entry: skipped.
    let certificates: Vec<_> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        let what = format!("`{}` (SSL_CERT_FILE) holds no certificate", path.display());
        return Err(Error::NotPossible { what });
    }
    Ok(RootCerts::new_with_certs(&certificates))
}

/// Text from outside, fit for a message: no control characters, not longer than `limit`.
pub(crate) fn printable(text: &str, limit: usize) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(limit)
        .collect::<String>()
}

/// An error that blames the server.
pub(crate) fn protocol(url: &Url, reason: String) -> Error {
    Error::Protocol {
        host: url.authority(),
        what: url.shown(),
        reason: printable(&reason, 300),
        hint: String::new(),
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// Sorts the library's errors by what to do about them.
fn failure(url: &Url, error: ureq::Error) -> Failure {
    use ureq::{Error as E, Timeout};
    match error {
        E::HostNotFound => Failure::Unreachable("the name does not resolve".to_owned()),
        E::ConnectionFailed => Failure::Unreachable("the connection failed".to_owned()),
        E::ConnectProxyFailed(reason) => Failure::Unreachable(format!("the proxy says {reason}")),
        E::Timeout(Timeout::Resolve | Timeout::Connect) => {
            Failure::Unreachable("no connection in time".to_owned())
        }
        E::Timeout(what) => Failure::Broken(format!("timeout ({what})")),
        E::Tls(reason) => Failure::Unreachable(format!("TLS: {reason}")),
        E::Rustls(reason) => Failure::Unreachable(format!("TLS: {reason}")),
        E::Io(error) => io_failure(&error),
        E::BodyExceedsLimit(limit) => Failure::Fatal(protocol(
            url,
            format!("the answer is longer than {limit} bytes"),
        )),
        // A malformed answer may be a connection cut in the middle of the head.
        other => Failure::Broken(other.to_string()),
    }
}

fn io_failure(error: &std::io::Error) -> Failure {
    use std::io::ErrorKind as K;
    let mut reason = error.to_string();
    if reason.contains("certificate") {
        reason += " (behind a proxy that inspects TLS, set SSL_CERT_FILE to its certificates)";
    }
    match error.kind() {
        K::ConnectionRefused
        | K::HostUnreachable
        | K::NetworkUnreachable
        | K::NetworkDown
        | K::AddrNotAvailable
        | K::InvalidData
        | K::PermissionDenied => Failure::Unreachable(reason),
        // The standard library has no kind for a name that does not resolve, only this text.
        _ if reason.contains("failed to lookup address") => Failure::Unreachable(reason),
        _ => Failure::Broken(reason),
    }
}
