//! The page for people at `/`: what npm built from `web/`, carried inside the program.
//!
//! Its policy lets it talk to nobody but the server it came from. A file whose name holds a hash of its contents
//! is kept by browsers for good; the others are asked for again by their tag (RFC 9110, 8.8.3 and 13.1.2). Who
//! accepts gzip gets texts compressed, which is done when the first one asks.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::sync::{LazyLock, OnceLock};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use flate2::Compression;
use flate2::write::GzEncoder;

// `FILES`: path below `web/dist` and contents of each file.
include!(concat!(env!("OUT_DIR"), "/page_files.rs"));

/// Styles may stand in elements, for formulas are set that way; scripts may not.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; \
     font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'";

/// Whether the page has this path, of which the prefix is gone. Those need no key: the page asks for one.
pub(crate) fn has(path: &str) -> bool {
    let name = path.strip_prefix('/').unwrap_or(path);
    name.is_empty() || PAGE.iter().any(|file| file.path == name)
}

/// The routes of the page below `prefix`: its folder, and one for each file.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>(prefix: &str) -> Router<S> {
    let folder = format!("{prefix}/");
    let routes = PAGE.iter().fold(Router::new(), |router, file| {
        let serve = get(move |headers: HeaderMap| async move { file.serve(&headers) });
        let router = match file.path {
            "index.html" => router.route(&folder, serve.clone()),
            _ => router,
        };
        router.route(&format!("{folder}{}", file.path), serve)
    });
    // The page names its files relative to its folder.
    let to_folder = Redirect::temporary(&folder);
    match prefix {
        "" => routes,
        _ => routes.route(prefix, get(|| async { to_folder })),
    }
}

static PAGE: LazyLock<Vec<File>> = LazyLock::new(|| {
    let files = FILES.iter();
    files.map(|&(path, bytes)| File::new(path, bytes)).collect()
});

struct File {
    path: &'static str,
    bytes: &'static [u8],
    /// Weak, for it names the contents, compressed or not.
    tag: String,
    gzip: OnceLock<Bytes>,
}

impl File {
    fn new(path: &'static str, bytes: &'static [u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        let tag = format!("W/\"{:016x}\"", hasher.finish());
        let gzip = OnceLock::new();
        Self {
            path,
            bytes,
            tag,
            gzip,
        }
    }

    fn serve(&self, request: &HeaderMap) -> Response {
        let (kind, is_text) = self.kind();
        let keep = match self.path.starts_with("assets/") {
            true => "public, max-age=31536000, immutable",
            false => "no-cache",
        };
        let mut response = match names_tag(request, &self.tag) {
            true => StatusCode::NOT_MODIFIED.into_response(),
            false if is_text && accepts_gzip(request) => {
                let coding = (header::CONTENT_ENCODING, "gzip");
                ([coding], Body::from(self.gzip())).into_response()
            }
            false => Body::from(Bytes::from_static(self.bytes)).into_response(),
        };
        let headers = response.headers_mut();
        let mut set = |name: HeaderName, value| {
            headers.insert(name, HeaderValue::from_static(value));
        };
        set(header::CONTENT_TYPE, kind);
        set(header::CACHE_CONTROL, keep);
        set(header::CONTENT_SECURITY_POLICY, POLICY);
        set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        set(header::REFERRER_POLICY, "no-referrer");
        set(header::VARY, "accept-encoding");
        if let Ok(tag) = HeaderValue::from_str(&self.tag) {
            headers.insert(header::ETAG, tag);
        }
        response
    }

    /// The media type, and whether it is one that shrinks.
    fn kind(&self) -> (&'static str, bool) {
        match self.path.rsplit_once('.').map_or("", |(_, end)| end) {
            "html" => ("text/html; charset=utf-8", true),
            "js" => ("text/javascript; charset=utf-8", true),
            "css" => ("text/css; charset=utf-8", true),
            "txt" => ("text/plain; charset=utf-8", true),
            "svg" => ("image/svg+xml", true),
            "woff2" => ("font/woff2", false),
            _ => ("application/octet-stream", false),
        }
    }

    fn gzip(&self) -> Bytes {
        let pack = || {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            let packed = encoder
                .write_all(self.bytes)
                .and_then(|()| encoder.finish());
            Bytes::from(packed.expect("a vector takes whatever is written to it"))
        };
        self.gzip.get_or_init(pack).clone()
    }
}

/// Whether `If-None-Match` names the tag, or any.
fn names_tag(request: &HeaderMap, tag: &str) -> bool {
    let strong = tag.trim_start_matches("W/");
    listed(request, header::IF_NONE_MATCH)
        .any(|given| given == "*" || given.trim_start_matches("W/") == strong)
}

/// Whether `Accept-Encoding` names gzip, or anything, and does not rule it out by `q=0` (RFC 9110, 12.5.3).
fn accepts_gzip(request: &HeaderMap) -> bool {
    let mut of_anything = false;
    for coding in listed(request, header::ACCEPT_ENCODING) {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight.trim().trim_start_matches("q=").parse::<f32>();
        let wanted = weight.map_or(true, |weight| weight > 0.0);
        match name.trim() {
            name if name.eq_ignore_ascii_case("gzip") => return wanted,
            "*" => of_anything = wanted,
            _ => {}
        }
    }
    of_anything
}

/// The comma-separated values of a header.
fn listed(request: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let values = request.get_all(name).into_iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn file(path: &str) -> &'static File {
        let found = PAGE.iter().find(|file| file.path == path);
        found.expect("the build has this file")
    }

    fn ask(file: &File, name: HeaderName, value: &str) -> Response {
        let value = HeaderValue::from_str(value).expect("a header value");
        file.serve(&HeaderMap::from_iter([(name, value)]))
    }

    fn read(response: Response) -> Vec<u8> {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let body = axum::body::to_bytes(response.into_body(), usize::MAX);
        let bytes = runtime.expect("a runtime").block_on(body);
        bytes.expect("a body in memory").to_vec()
    }

    #[test]
    fn whatever_the_page_names_is_there() {
        let html = std::str::from_utf8(file("index.html").bytes).expect("text");
        let names: Vec<&str> = html
            .split("\"./")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect();
        assert!(names.len() >= 3, "{names:?}");
        for name in names {
            assert_ne!(file(name).kind().0, "application/octet-stream");
        }
    }

    #[test]
    fn compressed_for_those_who_take_it() {
        let page = file("index.html");
        for accepted in ["gzip", "br, gzip;q=0.5", "*", "GZIP", "gzip, *;q=0"] {
            let response = ask(page, header::ACCEPT_ENCODING, accepted);
            assert_eq!(
                response.headers()[header::CONTENT_ENCODING],
                "gzip",
                "{accepted}"
            );
            let (packed, mut text) = (read(response), Vec::new());
            flate2::read::GzDecoder::new(&*packed)
                .read_to_end(&mut text)
                .expect("gzip");
            assert_eq!(text, page.bytes);
        }
        for refused in ["", "br", "gzip;q=0", "*;q=0", "identity"] {
            let response = ask(page, header::ACCEPT_ENCODING, refused);
            assert!(
                !response.headers().contains_key(header::CONTENT_ENCODING),
                "{refused}"
            );
            assert_eq!(read(response), page.bytes);
        }
    }

    #[test]
    fn not_sent_again_while_it_is_the_same() {
        let page = file("index.html");
        let first = page.serve(&HeaderMap::new());
        let tag = first.headers()[header::ETAG]
            .to_str()
            .expect("text")
            .to_owned();
        for given in [
            tag.as_str(),
            "\"other\", *",
            &format!("\"x\", {}", tag.trim_start_matches("W/")),
        ] {
            let again = ask(page, header::IF_NONE_MATCH, given);
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{given}");
            assert_eq!(again.headers()[header::ETAG], tag.as_str());
            assert!(read(again).is_empty());
        }
        let other = ask(page, header::IF_NONE_MATCH, "\"other\"");
        assert_eq!(other.status(), StatusCode::OK);
    }

    #[test]
    fn only_names_with_a_hash_are_kept_for_good() {
        for file in PAGE.iter() {
            let response = file.serve(&HeaderMap::new());
            let keeps = response.headers()[header::CACHE_CONTROL] != "no-cache";
            assert_eq!(keeps, file.path.starts_with("assets/"), "{}", file.path);
            assert_eq!(response.headers()[header::CONTENT_SECURITY_POLICY], POLICY);
            assert_eq!(
                response.headers()[header::X_CONTENT_TYPE_OPTIONS],
                "nosniff"
            );
        }
    }
}
