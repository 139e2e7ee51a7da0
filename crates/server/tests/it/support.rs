//! A server of the small model, and requests to it.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};
use server::{Options, Server};
use tokio::sync::oneshot;
use ureq::http::{Response, StatusCode};

/// A template with tools, short enough for a context of 512.
const TEMPLATE: &str = "\
{%- if tools %}Call <tool_call>{{ tools[0].function.name }}</tool_call>.\n{% endif -%}
{%- for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor -%}
{%- if add_generation_prompt %}assistant: {% endif -%}";

/// A server that ends with this.
pub(crate) struct Fixture {
    pub(crate) address: SocketAddr,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// A response whose body has been read.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) text: String,
}

/// The small model's file.
pub(crate) fn stories() -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = root.join("golden/models/stories260K-f32.gguf");
    path.to_str().expect("the path is UTF-8").to_owned()
}

/// Options with the small model, which chats.
pub(crate) fn options() -> Options {
    Options {
        port: 0,
        model: Some(stories()),
        configure: Arc::new(|builder| builder.chat_template(TEMPLATE).threads(1)),
        metrics: true,
        patience: Duration::from_secs(2),
        ..Options::default()
    }
}

impl Fixture {
    /// A server of [`options`].
    pub(crate) fn new() -> Self {
        Self::start(options())
    }

    /// Waits until it is ready.
    pub(crate) fn start(options: Options) -> Self {
        let (end, ended) = oneshot::channel();
        let (tell, ready) = std::sync::mpsc::channel();
        let serve = async move {
            let server = Server::bind(options).await.expect("a free port");
            let address = server.address().expect("it listens");
            let ended = async { drop(ended.await) };
            let run = server.run(ended, |_| tell.send(address).expect("the test waits"));
            run.await.expect("the model loads");
        };
        let thread = std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build();
            runtime.expect("a runtime").block_on(serve);
        });
        Self {
            address: ready.recv().expect("the server starts"),
            end: Some(end),
            thread: Some(thread),
        }
    }

    /// Asks the server to end, without a wait.
    pub(crate) fn end(&mut self) {
        self.end.take().map(|end| end.send(()));
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        Answer::read(agent().get(self.url(path)).call().expect("an answer"))
    }

    /// Sends JSON.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_text(path, &body.to_string())
    }

    /// Sends anything.
    pub(crate) fn post_text(&self, path: &str, body: &str) -> Answer {
        let request = agent()
            .post(self.url(path))
            .header("content-type", "application/json");
        Answer::read(request.send(body).expect("an answer"))
    }

    /// The events of a stream: names, if any, and data.
    pub(crate) fn events(&self, path: &str, body: &Value) -> Vec<(String, String)> {
        let request = agent()
            .post(self.url(path))
            .header("content-type", "application/json");
        let response = request.send(body.to_string()).expect("an answer");
        assert_eq!(response.status(), 200);
        let reader = BufReader::new(response.into_body().into_reader());
        let (mut events, mut name) = (Vec::new(), String::new());
        for line in reader.lines().map(|line| line.expect("text")) {
            if let Some(text) = line.strip_prefix("event: ") {
                text.clone_into(&mut name);
            } else if let Some(data) = line.strip_prefix("data: ") {
                events.push((std::mem::take(&mut name), data.to_owned()));
            }
        }
        events
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.end();
        if let Some(thread) = self.thread.take() {
            let joined = thread.join();
            assert!(
                std::thread::panicking() || joined.is_ok(),
                "the server ends well"
            );
        }
    }
}

impl Answer {
    pub(crate) fn read(mut response: Response<ureq::Body>) -> Self {
        let mut text = String::new();
        let body = response.body_mut().as_reader().read_to_string(&mut text);
        body.expect("text");
        Self {
            status: response.status(),
            headers: response.headers().clone(),
            text,
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    /// The JSON of an answer that is well.
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Every status is an answer.
pub(crate) fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder().http_status_as_error(false);
    config
        .timeout_global(Some(Duration::from_secs(60)))
        .build()
        .into()
}

/// The schema of a tool that opens a door or shuts it.
pub(crate) fn door() -> Value {
    json!({
        "type": "object",
        "properties": { "open": { "type": "boolean" } },
        "required": ["open"],
        "additionalProperties": false,
    })
}

/// The small model's file with something changed, gone at the end.
pub(crate) struct Changed(PathBuf);

impl Changed {
    pub(crate) fn new(name: &str, change: impl FnOnce(&mut testkit::tiny::Parts)) -> Self {
        let bytes = testkit::golden::bytes("models/stories260K-f32.gguf");
        let gguf = formats::Gguf::parse(bytes).expect("a golden file");
        let mut parts = testkit::tiny::Parts::of(&gguf);
        change(&mut parts);
        let path = std::env::temp_dir().join(format!("ingle-it-{}-{name}", std::process::id()));
        std::fs::write(&path, parts.write()).expect("there is room");
        Self(path)
    }

    /// Options that serve it.
    pub(crate) fn options(&self) -> Options {
        let path = self.0.to_str().expect("a path in UTF-8");
        Options {
            model: Some(path.to_owned()),
            ..options()
        }
    }
}

impl Drop for Changed {
    fn drop(&mut self) {
        // What cannot be removed is the system's to clean up.
        let _ = std::fs::remove_file(&self.0);
    }
}
