//! Who may use the server: what every request passes before a handler sees it.
//!
//! A page in a browser can send requests to this machine. It cannot forge `Origin`, and a name of its own that it
//! points at this machine stands in `Host`: both are checked against lists, which by default hold this machine alone.
//! Keys are compared as digests, in a time that does not depend on where they differ.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use crate::body::{Ignored, header};
use crate::error::{ApiError, Dialect, Kind, Outcome, ServeError, in_dialect};
use crate::ids;
use crate::options::Options;
use crate::page;
use crate::state::App;

/// The lists.
pub(crate) struct Guard {
    keys: Vec<[u8; 32]>,
    origins: Vec<String>,
    hosts: Vec<String>,
    /// Whoever listens at an address that others reach is called by names that cannot be known.
    any_host: bool,
}

/// The name of a request, for its handler.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(pub(crate) Arc<str>);

/// Header that carries a request's name, for whoever looks into logs.
const REQUEST_ID: &str = "x-request-id";

impl Guard {
    pub(crate) fn new(options: &Options) -> Result<Self, ServeError> {
        let usable = |key: &String| !key.is_empty() && HeaderValue::from_str(key).is_ok();
        if !options.api_keys.iter().all(usable) {
            return Err(ServeError::Key);
        }
        let local = options
            .host
            .parse()
            .is_ok_and(|ip: IpAddr| ip.is_loopback());
        let any_host = options.allowed_hosts.iter().any(|host| host == "*")
            || !(local || options.host == "localhost") && options.allowed_hosts.is_empty();
        Ok(Self {
            keys: options.api_keys.iter().map(|key| digest(key)).collect(),
            origins: options.allowed_origins.clone(),
            hosts: options.allowed_hosts.clone(),
            any_host,
        })
    }

    fn check_host(&self, headers: &HeaderMap) -> Outcome<()> {
        let host = header(headers, header::HOST).unwrap_or_default();
        let name = without_port(host);
        let is_known =
            |known: &String| known.eq_ignore_ascii_case(name) || known.eq_ignore_ascii_case(host);
        if self.any_host
            || host.is_empty()
            || is_this_machine(name)
            || self.hosts.iter().any(is_known)
        {
            return Ok(());
        }
        // A numeric address is nobody's name, so it cannot be pointed elsewhere.
        if name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() {
            return Ok(());
        }
        let message = format!("host `{name}` is not allowed\nhint: `--allowed-hosts {name}`");
        Err(ApiError::new(Kind::Permission, message))
    }

    /// The origin that may read the response, if a page asks.
    fn check_origin<'a>(&self, headers: &'a HeaderMap) -> Outcome<Option<&'a HeaderValue>> {
        let Some(value) = headers.get(header::ORIGIN) else {
            return Ok(None);
        };
        let origin = value.to_str().unwrap_or_default();
        let host = origin.split_once("://").map_or("", |(_, host)| host);
        let own = header(headers, header::HOST).is_some_and(|own| own.eq_ignore_ascii_case(host));
        let is_known = |known: &String| known == "*" || known.eq_ignore_ascii_case(origin);
        if own || is_this_machine(without_port(host)) || self.origins.iter().any(is_known) {
            return Ok(Some(value));
        }
        let message = format!("origin `{origin}` is not allowed\nhint: `--cors-origins {origin}`");
        Err(ApiError::new(Kind::Permission, message))
    }

    fn check_key(&self, headers: &HeaderMap) -> Outcome<()> {
        if self.keys.is_empty() {
            return Ok(());
        }
        let bearer = header(headers, header::AUTHORIZATION).and_then(|text| {
            let (scheme, key) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
        });
        let shown = bearer.or_else(|| header(headers, "x-api-key"));
        let message = match shown {
            Some(key) if self.is_key(key) => return Ok(()),
            Some(_) => "invalid API key",
            None => "an API key is needed: `Authorization: Bearer KEY` or `X-Api-Key: KEY`",
        };
        Err(ApiError::new(Kind::Authentication, message).code("invalid_api_key"))
    }

    /// Compares with all keys, whichever fits.
    fn is_key(&self, shown: &str) -> bool {
        let shown = digest(shown);
        let differs =
            |key: &[u8; 32]| key.iter().zip(&shown).fold(0, |acc, (a, b)| acc | (a ^ b)) != 0;
        self.keys.iter().filter(|key| !differs(key)).count() > 0
    }
}

fn digest(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        // Not the colons of an address of version 6.
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.ends_with(':') => {
            name
        }
        _ => host,
    }
}

fn is_this_machine(name: &str) -> bool {
    let name = name.trim_matches(['[', ']']);
    name.eq_ignore_ascii_case("localhost")
        || name.to_ascii_lowercase().ends_with(".localhost")
        || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// What needs no key: whether the server lives, and the page, which asks for one.
fn is_public(method: &Method, path: &str) -> bool {
    matches!(*method, Method::GET | Method::HEAD) && (is_health(path) || page::has(path))
}

fn is_health(path: &str) -> bool {
    matches!(path, "/health" | "/v1/health" | "/livez" | "/readyz")
}

/// The outermost layer.
pub(crate) async fn guard(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    let dialect = Dialect::of_path(
        path.strip_prefix(app.options.prefix.as_str())
            .unwrap_or(path),
    );
    let id = request_id(request.headers());
    let origin = app
        .guard
        .check_origin(request.headers())
        .map(|origin| origin.cloned());
    let (ignored, method) = (Ignored::default(), request.method().clone());
    request.extensions_mut().insert(ignored.clone());
    request.extensions_mut().insert(RequestId(Arc::clone(&id)));
    let path = request.uri().path().to_owned();
    let asks_health = is_health(
        path.strip_prefix(app.options.prefix.as_str())
            .unwrap_or(&path),
    );
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or("none", MatchedPath::as_str).to_owned();
    let started = std::time::Instant::now();
    let answer = match &origin {
        Err(error) => error.clone().into_response(),
        Ok(_) => match check(&app, &request) {
            Err(error) => error.into_response(),
            Ok(()) if method == Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
            Ok(()) => next.run(request).await,
        },
    };
    let error = answer
        .extensions()
        .get::<ApiError>()
        .map(|error| error.message().to_owned());
    let mut response = in_dialect(answer, dialect, &id);
    ignored.name_in(&mut response);
    let status = response.status();
    let headers = response.headers_mut();
    if let Ok(Some(origin)) = origin {
        allow(headers, origin);
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        if dialect == Dialect::Anthropic {
            headers.insert("request-id", value.clone());
        }
        headers.insert(REQUEST_ID, value);
    }
    app.metrics.http(&method, &route, status.as_u16());
    let (status, ms) = (status.as_u16(), started.elapsed().as_millis() as u64);
    match error {
        // Whoever asks whether it is ready is told so, and that is no fault.
        Some(reason) if status == 503 && asks_health => {
            tracing::debug!(id = &*id, %method, path, status, ms, reason)
        }
        // Nor is what a server or a model does not do.
        Some(error) if status >= 500 && status != 503 && status != 501 => {
            tracing::error!(id = &*id, %method, path, status, ms, error)
        }
        Some(error) => tracing::info!(id = &*id, %method, path, status, ms, error),
        None => tracing::debug!(id = &*id, %method, path, status, ms),
    }
    response
}

fn check(app: &App, request: &Request) -> Outcome<()> {
    app.guard.check_host(request.headers())?;
    let path = request.uri().path();
    let path = path
        .strip_prefix(app.options.prefix.as_str())
        .unwrap_or(path);
    match request.method() == Method::OPTIONS || is_public(request.method(), path) {
        true => Ok(()),
        false => app.guard.check_key(request.headers()),
    }
}

/// Lets a page of this origin use the response.
fn allow(headers: &mut HeaderMap, origin: HeaderValue) {
    let any = HeaderValue::from_static("*");
    let pairs = [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, origin),
        (
            header::ACCESS_CONTROL_ALLOW_METHODS,
            HeaderValue::from_static("GET, POST, DELETE, HEAD"),
        ),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static("*, authorization"),
        ),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, any),
        (
            header::ACCESS_CONTROL_MAX_AGE,
            HeaderValue::from_static("600"),
        ),
    ];
    for (name, value) in pairs {
        headers.insert(name, value);
    }
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
}

/// The client's own name for the request, if it is fit to be repeated.
fn request_id(headers: &HeaderMap) -> Arc<str> {
    let given = header(headers, REQUEST_ID);
    let fit = |id: &&str| (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic());
    match given.filter(fit) {
        Some(id) => id.into(),
        None => ids::new("req_").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(options: Options) -> Guard {
        Guard::new(&options).expect("keys are usable")
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            let value = HeaderValue::from_str(value).expect("a value");
            (axum::http::HeaderName::from_static(name), value)
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn only_names_of_this_machine_are_hosts() {
        let local = guard(Options::default());
        for host in [
            "localhost:8080",
            "127.0.0.1",
            "[::1]:80",
            "192.168.1.7:8080",
            "a.localhost",
        ] {
            assert!(
                local.check_host(&headers(&[("host", host)])).is_ok(),
                "{host}"
            );
        }
        for host in [
            "evil.example",
            "localhost.evil.example:8080",
            "127.0.0.1.evil.example",
        ] {
            assert!(
                local.check_host(&headers(&[("host", host)])).is_err(),
                "{host}"
            );
        }
        let named = guard(Options {
            allowed_hosts: vec!["box.example".into()],
            ..Options::default()
        });
        assert!(
            named
                .check_host(&headers(&[("host", "BOX.example:8080")]))
                .is_ok()
        );
        assert!(
            named
                .check_host(&headers(&[("host", "evil.example")]))
                .is_err()
        );
        let open = guard(Options {
            host: "0.0.0.0".into(),
            ..Options::default()
        });
        assert!(
            open.check_host(&headers(&[("host", "anything.example")]))
                .is_ok()
        );
    }

    #[test]
    fn pages_of_elsewhere_are_refused() {
        let local = guard(Options::default());
        let may = |origin: &str, host: &str| {
            let headers = headers(&[("origin", origin), ("host", host)]);
            local.check_origin(&headers).is_ok()
        };
        assert!(may("http://localhost:3000", "127.0.0.1:8080"));
        assert!(may("http://192.168.1.7:8080", "192.168.1.7:8080"));
        assert!(!may("https://evil.example", "127.0.0.1:8080"));
        assert!(!may("null", "127.0.0.1:8080"));
        let one = guard(Options {
            allowed_origins: vec!["https://chat.example".into()],
            ..Options::default()
        });
        assert!(
            one.check_origin(&headers(&[("origin", "https://chat.example")]))
                .is_ok()
        );
        assert!(
            one.check_origin(&headers(&[("origin", "https://chat.example.evil")]))
                .is_err()
        );
    }

    #[test]
    fn a_key_is_shown_in_either_header() {
        let locked = guard(Options {
            api_keys: vec!["first".into(), "second".into()],
            ..Options::default()
        });
        let may = |pairs: &[(&'static str, &str)]| locked.check_key(&headers(pairs)).is_ok();
        assert!(may(&[("authorization", "Bearer second")]));
        assert!(may(&[("authorization", "bearer first")]));
        assert!(may(&[("x-api-key", "first")]));
        assert!(!may(&[("authorization", "Bearer third")]));
        assert!(!may(&[("authorization", "Basic first")]));
        assert!(!may(&[]));
        let options = Options {
            api_keys: vec![String::new()],
            ..Options::default()
        };
        assert!(Guard::new(&options).is_err());
    }
}
