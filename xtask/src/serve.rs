//! `ingle serve` with the small model of the tests, for as long as somebody talks to it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::{Failure, exec, fetch};

/// How long it may take to start.
const START: Duration = Duration::from_secs(60);

/// The program, built as the tests are, which has been done by then: other packages alone would have other features.
pub(crate) fn program(root: &Path, target: &Path) -> Result<PathBuf, Failure> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let build = ["test", "--workspace", "--locked", "--no-run"];
    exec::stream(Command::new(cargo).current_dir(root).args(build))?;
    Ok(target.join("debug/ingle"))
}

/// A server, which ends with this.
pub(crate) struct Server {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    child: Child,
}

impl Server {
    /// Starts `program` at a free port and waits until it is ready. The model was made for stories and has no
    /// template of its own.
    ///
    /// # Errors
    /// If it does not start in time.
    pub(crate) fn start(
        root: &Path,
        program: &Path,
        template: &Path,
        flags: &[&str],
    ) -> Result<Self, Failure> {
        let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
        let port = free
            .map_err(|error| format!("a free port: {error}"))?
            .port();
        let mut command = Command::new(program);
        command
            .arg("serve")
            .arg(root.join("golden/models/stories260K-f32.gguf"))
            .args(["--port", &port.to_string()])
            .arg("--chat-template-file")
            .arg(template)
            .args(flags)
            .env(fetch::VARIABLE, fetch::folder()?)
            .stdin(Stdio::null());
        let child = command
            .spawn()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        let mut server = Self {
            url: format!("http://127.0.0.1:{port}"),
            child,
        };
        let begun = Instant::now();
        while !is_ready(port) {
            let ended = server.child.try_wait().ok().flatten();
            if ended.is_some() || begun.elapsed() > START {
                return Err("the server does not start".to_owned());
            }
            sleep(Duration::from_millis(50));
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether `/health` answers with 200.
fn is_ready(port: u16) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream
            .write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}
