//! A hub with one small file, for tests that fetch.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ingle::hub::Config;
use sha2::{Digest, Sha256};

/// What the hub calls its commit.
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A folder for models that goes with this, and the settings that fetch from a hub at this machine.
pub(crate) struct TestHub {
    pub(crate) config: Config,
    folder: PathBuf,
}

impl TestHub {
    /// A hub that has `org/tiny` with `tiny-Q4_0.gguf`; its bytes come in pieces, with pauses between them.
    pub(crate) fn start(test: &str, file: Vec<u8>, pause: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it listens");
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let file = file.clone();
                // Clients that go are what some tests are about.
                std::thread::spawn(move || drop(answer(&stream, &file, pause)));
            }
        });
        let name = format!("server-hub-{test}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        Self {
            config: Config {
                endpoint: format!("http://{address}"),
                ..Config::at(&folder)
            },
            folder,
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for TestHub {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

fn answer(mut stream: &TcpStream, file: &[u8], pause: Duration) -> std::io::Result<()> {
    let lines = BufReader::new(stream).lines();
    let head: Vec<String> = lines
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
        .collect();
    let mut words = head.first().map_or("", String::as_str).split(' ');
    let (method, path) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let digest = Sha256::digest(file);
    let hash = digest.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    let (status, body) = match path {
        path if path.starts_with("/api/models/org/tiny/") => {
            let sibling =
                format!(r#"{{"rfilename":"tiny-Q4_0.gguf","lfs":{{"sha256":"{hash}"}}}}"#);
            let json = format!(r#"{{"sha":"{COMMIT}","siblings":[{sibling}]}}"#);
            ("200 OK", json.into_bytes())
        }
        path if path.starts_with("/org/tiny/resolve/") => ("200 OK", file.to_vec()),
        _ => ("404 Not Found\r\nX-Error-Code: RepoNotFound", Vec::new()),
    };
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nX-Repo-Commit: {COMMIT}\r\nETag: \"{hash}\"\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n"
    )?;
    if method == "HEAD" {
        return Ok(());
    }
    for piece in body.chunks(64 << 10) {
        stream.write_all(piece)?;
        std::thread::sleep(pause);
    }
    Ok(())
}
