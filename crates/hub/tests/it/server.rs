//! A small hub: listings, `resolve` with and without a CDN, ranges, and faults on demand.
//!
//! One request per connection. Faults wait in two queues, one for questions (listings, HEAD) and
//! one for data (GET of a file); each request takes one from its queue.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use sha2::{Digest, Sha256};

/// What to do wrong.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// Nothing: skips one request.
    None,
    /// This status with these headers and no body.
    Status(u16, Vec<(&'static str, String)>),
    /// A right answer, cut after so many bytes of body.
    CutAfter(usize),
    /// 206 whose `Content-Range` starts elsewhere; the data too.
    WrongRange,
    /// 206 whose `Content-Range` tells another total.
    WrongTotal,
    /// 200 with everything although a range was asked for.
    IgnoreRange,
    /// `Content-Length` is more than comes.
    LengthTooLong(usize),
    /// `Content-Length` is less than the file has; so much is sent.
    LengthTooShort(usize),
    /// One byte is wrong.
    Corrupt,
    /// Pieces of this many bytes with a pause after each.
    Slow(usize, Duration),
    /// A redirect to this address.
    Redirect(String),
    /// Accepts and never answers.
    Hang,
}

/// A request as it arrived.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) range: Option<String>,
    pub(crate) if_range: Option<String>,
    pub(crate) authorization: Option<String>,
}

#[derive(Default)]
pub(crate) struct State {
    /// `(repo, path, content)`.
    pub(crate) files: Vec<(String, String, Vec<u8>)>,
    pub(crate) commit: String,
    pub(crate) question_faults: VecDeque<Fault>,
    pub(crate) data_faults: VecDeque<Fault>,
    /// Redirect data to this server.
    pub(crate) cdn: Option<String>,
    /// Questions and data need this token.
    pub(crate) token: Option<String>,
    /// Only the older listing in pages of two.
    pub(crate) tree_only: bool,
    /// No listings at all, only files.
    pub(crate) no_listing: bool,
    /// Instead of the right one.
    pub(crate) etag: Option<String>,
    pub(crate) seen: Vec<Seen>,
}

/// Runs until the test process ends.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = State {
            commit: "c0ffee".repeat(6) + "0000",
            ..State::default()
        };
        let server = Self {
            url,
            state: Arc::new(Mutex::new(state)),
        };
        let shared = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = shared.clone();
                std::thread::spawn(move || server.serve(stream));
            }
        });
        server
    }

    pub(crate) fn with(repo: &str, files: &[(&str, Vec<u8>)]) -> Self {
        let server = Self::start();
        for (path, content) in files {
            server
                .state()
                .files
                .push((repo.into(), (*path).into(), content.clone()));
        }
        server
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn data_faults(&self, faults: &[Fault]) {
        self.state().data_faults.extend(faults.iter().cloned());
    }

    pub(crate) fn question_faults(&self, faults: &[Fault]) {
        self.state().question_faults.extend(faults.iter().cloned());
    }

    /// Requests so far whose path contains `part`, with this method.
    pub(crate) fn seen(&self, method: &str, part: &str) -> Vec<Seen> {
        let state = self.state();
        let fits = |seen: &&Seen| seen.method == method && seen.path.contains(part);
        state.seen.iter().filter(fits).cloned().collect()
    }

    fn serve(&self, mut stream: TcpStream) {
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        let Some(request) = read_request(&stream) else {
            return;
        };
        let answered = self.answer(&mut stream, &request);
        if answered.is_ok() {
            // Lets the client read everything before the connection goes.
            stream.shutdown(Shutdown::Write).ok();
        }
    }

    fn answer(&self, stream: &mut TcpStream, request: &Seen) -> std::io::Result<()> {
        let is_data = request.method == "GET" && !request.path.starts_with("/api/");
        let (fault, commit, token, tree_only, cdn, etag) = {
            let mut state = self.state();
            state.seen.push(request.clone());
            let queue = if is_data {
                &mut state.data_faults
            } else {
                &mut state.question_faults
            };
            let fault = queue.pop_front().unwrap_or(Fault::None);
            let State {
                commit,
                token,
                tree_only,
                cdn,
                etag,
                ..
            } = &*state;
            (
                fault,
                commit.clone(),
                token.clone(),
                *tree_only,
                cdn.clone(),
                etag.clone(),
            )
        };
        match &fault {
            Fault::Status(status, headers) => return head(stream, *status, headers, Some(0)),
            Fault::Redirect(to) => {
                return head(stream, 302, &[("Location", to.clone())], Some(0));
            }
            Fault::Hang => {
                std::thread::sleep(Duration::from_secs(20));
                return Ok(());
            }
            _ => {}
        }
        let given = request
            .authorization
            .as_deref()
            .and_then(|text| text.strip_prefix("Bearer "));
        if token.is_some() && given != token.as_deref() && !request.path.starts_with("/cdn/") {
            let gated = [("X-Error-Code", "GatedRepo".to_owned())];
            return head(stream, 401, &gated, Some(0));
        }
        let path = request.path.split('?').next().unwrap();
        if let Some(rest) = path.strip_prefix("/api/models/") {
            let host = &self.url;
            return match self.listing(rest, &request.path, &commit, tree_only, host) {
                Some((headers, json)) => {
                    head(stream, 200, &headers, Some(json.len()))?;
                    stream.write_all(json.as_bytes())
                }
                None => head(stream, 404, &[], Some(0)),
            };
        }
        let Some(content) = self.content(path) else {
            return head(
                stream,
                404,
                &[("X-Error-Code", "EntryNotFound".into())],
                Some(0),
            );
        };
        let hash = etag.unwrap_or_else(|| hex(&Sha256::digest(&content)));
        let mut headers = vec![("X-Repo-Commit", commit), ("Accept-Ranges", "bytes".into())];
        if let (Some(cdn), false) = (cdn, path.starts_with("/cdn/")) {
            headers.push(("X-Linked-Etag", format!("\"{hash}\"")));
            headers.push(("X-Linked-Size", content.len().to_string()));
            headers.push(("Location", format!("{cdn}/cdn{path}")));
            return head(stream, 302, &headers, Some(0));
        }
        let prefix = if path.starts_with("/cdn/") {
            "cdn-"
        } else {
            ""
        };
        headers.push(("ETag", format!("\"{prefix}{hash}\"")));
        send_file(stream, request, &content, headers, &fault)
    }

    /// `/org/repo/resolve/rev/file`, `/plain/file`, each optionally below `/cdn`.
    fn content(&self, path: &str) -> Option<Vec<u8>> {
        let path = path
            .strip_prefix("/cdn")
            .unwrap_or(path)
            .trim_start_matches('/');
        let path = path.replace("%20", " ");
        let parts: Vec<&str> = path.split('/').collect();
        let (repo, file) = match parts.as_slice() {
            [org, repo, "resolve", _, file @ ..] => (format!("{org}/{repo}"), file.join("/")),
            ["plain", file] => ("plain".to_owned(), (*file).to_owned()),
            _ => return None,
        };
        let state = self.state();
        let found = state
            .files
            .iter()
            .find(|(of, path, _)| *of == repo && *path == file);
        found.map(|(_, _, content)| content.clone())
    }

    fn listing(
        &self,
        rest: &str,
        full: &str,
        commit: &str,
        tree_only: bool,
        host: &str,
    ) -> Option<(Vec<(&'static str, String)>, String)> {
        let (repo, tree) = match rest.split_once("/revision/") {
            Some((repo, _)) if !tree_only => (repo, false),
            Some(_) => return None,
            None => (rest.split_once("/tree/")?.0, true),
        };
        let state = self.state();
        let files: Vec<_> = state.files.iter().filter(|(of, _, _)| of == repo).collect();
        if files.is_empty() || state.no_listing {
            return None;
        }
        let entry = |(_, path, content): &&(String, String, Vec<u8>)| {
            let hash = hex(&Sha256::digest(content));
            let size = content.len();
            let path = path.escape_default();
            match tree {
                true => format!(
                    r#"{{"type":"file","path":"{path}","size":{size},"lfs":{{"oid":"{hash}","size":{size}}}}}"#
                ),
                false => format!(
                    r#"{{"rfilename":"{path}","size":{size},"lfs":{{"sha256":"{hash}","size":{size}}}}}"#
                ),
            }
        };
        let mut headers = vec![("Content-Type", "application/json".to_owned())];
        if !tree {
            let all: Vec<_> = files.iter().map(entry).collect();
            let json = format!(r#"{{"sha":"{commit}","siblings":[{}]}}"#, all.join(","));
            return Some((headers, json));
        }
        let page: usize = full
            .split_once("page=")
            .map_or(0, |(_, number)| number.parse().unwrap());
        if files.len() > page * 2 + 2 {
            let next = format!("{host}/api/models/{rest}?recursive=true&page={}", page + 1);
            headers.push(("Link", format!("<{next}>; rel=\"next\"")));
        }
        let some: Vec<_> = files.iter().skip(page * 2).take(2).map(entry).collect();
        Some((headers, format!("[{}]", some.join(","))))
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read_request(stream: &TcpStream) -> Option<Seen> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    let mut words = first.split(' ').map(str::to_owned);
    let mut seen = Seen {
        method: words.next()?,
        path: words.next()?,
        ..Seen::default()
    };
    for line in lines {
        let line = line.ok()?;
        let Some((name, value)) = line.split_once(": ") else {
            break;
        };
        let value = Some(value.to_owned());
        match name.to_ascii_lowercase().as_str() {
            "range" => seen.range = value,
            "if-range" => seen.if_range = value,
            "authorization" => seen.authorization = value,
            _ => {}
        }
    }
    Some(seen)
}

fn head(
    stream: &mut TcpStream,
    status: u16,
    headers: &[(&'static str, String)],
    length: Option<usize>,
) -> std::io::Result<()> {
    let mut text = format!("HTTP/1.1 {status} Status\r\nConnection: close\r\n");
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    if let Some(length) = length {
        text += &format!("Content-Length: {length}\r\n");
    }
    stream.write_all((text + "\r\n").as_bytes())
}

fn send_file(
    stream: &mut TcpStream,
    request: &Seen,
    content: &[u8],
    mut headers: Vec<(&'static str, String)>,
    fault: &Fault,
) -> std::io::Result<()> {
    let total = content.len();
    let etag = headers
        .iter()
        .find(|(name, _)| *name == "ETag")
        .map(|(_, value)| value.clone());
    let same = request.if_range.is_none() || request.if_range == etag;
    let asked = request
        .range
        .as_deref()
        .filter(|_| same && !matches!(fault, Fault::IgnoreRange));
    let mut from = 0;
    let mut status = 200;
    if let Some(range) = asked {
        from = range
            .strip_prefix("bytes=")
            .unwrap()
            .trim_end_matches('-')
            .parse()
            .unwrap();
        status = 206;
        if from >= total {
            return head(
                stream,
                416,
                &[("Content-Range", format!("bytes */{total}"))],
                Some(0),
            );
        }
        if matches!(fault, Fault::WrongRange) {
            from -= 1;
        }
        let shown = if matches!(fault, Fault::WrongTotal) {
            total + 7
        } else {
            total
        };
        headers.push((
            "Content-Range",
            format!("bytes {from}-{}/{shown}", total - 1),
        ));
    }
    let mut body = content[from..].to_vec();
    let mut length = body.len();
    match fault {
        Fault::LengthTooLong(more) => length += more,
        Fault::LengthTooShort(less) => {
            length = length.saturating_sub(*less).max(1);
            body.truncate(length);
        }
        Fault::Corrupt => body[0] ^= 1,
        _ => {}
    }
    head(stream, status, &headers, Some(length))?;
    if request.method == "HEAD" {
        return Ok(());
    }
    match fault {
        Fault::CutAfter(bytes) => stream.write_all(&body[..(*bytes).min(body.len())]),
        Fault::Slow(piece, pause) => body.chunks(*piece).try_for_each(|piece| {
            std::thread::sleep(*pause);
            stream.write_all(piece)
        }),
        _ => stream.write_all(&body),
    }
}
