//! `ingle serve`, and the commands that talk to it.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::support::{folder, ingle, model, outcome};

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// A template for the little model.
pub(crate) const TEMPLATE: &str = "{% for m in messages %}{{ m.content }}{% endfor %}";

/// A server that ends with this.
pub(crate) struct Serving {
    child: Child,
    /// `http://127.0.0.1:PORT`.
    pub(crate) url: String,
}

impl Serving {
    /// Waits until it is ready.
    pub(crate) fn start(home: &Path, flags: &[&str]) -> Self {
        Self::start_with(home, flags, &[])
    }

    pub(crate) fn start_with(home: &Path, flags: &[&str], variables: &[(&str, &str)]) -> Self {
        let args = [&["serve", "--port", "0", "--log-format", "json"], flags].concat();
        let mut command = ingle(home, &args);
        command
            .envs(variables.iter().copied())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                // Nobody listens after the start, and the pipe must not fill.
                let _ = sender.send(line);
            }
        });
        let mut url = None;
        let mut said = Vec::new();
        while let Ok(line) = receiver.recv_timeout(PATIENCE) {
            let event: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            if let Some(address) = event["address"].as_str() {
                url = Some(format!("http://{address}"));
            }
            said.push(line);
            if event["message"] == "ready" {
                let url = url.expect("it listens first");
                return Self { child, url };
            }
        }
        panic!("it does not start: {said:?} {:?}", child.wait());
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn get(url: &str) -> (u16, serde_json::Value) {
    let agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .new_agent();
    let mut response = agent.get(url).call().expect("an answer");
    let text = response.body_mut().read_to_string().expect("text");
    (
        response.status().as_u16(),
        serde_json::from_str(&text).unwrap_or_default(),
    )
}

#[test]
fn flags_and_variables_of_llama_server_are_understood() {
    let home = folder("serve_flags");
    std::fs::write(home.join("keys"), "# ours\n\nsecret\n").expect("writable");
    let model = model();
    let flags = [
        "-m",
        &model,
        "-c",
        "128",
        "-np",
        "2",
        "-ngl",
        "0",
        "-fa",
        "on",
        "-b",
        "64",
        "--alias",
        "tiny,little",
        "--api-key-file",
        "keys",
    ];
    let variables = [
        ("LLAMA_ARG_CTX_SIZE", "64"),
        ("LLAMA_ARG_ENDPOINT_METRICS", "1"),
        ("LLAMA_ARG_API_PREFIX", "/llm"),
    ];
    let server = Serving::start_with(&home, &flags, &variables);
    let base = format!("{}/llm", server.url);
    outcome(&mut ingle(&home, &["ps", "--ready", "--host", &base])).text();
    assert_eq!(
        get(&format!("{base}/v1/models")).0,
        401,
        "the file's keys count"
    );
    let agent = ureq::Agent::new_with_defaults();
    let authorised = |path: &str| {
        agent
            .get(format!("{base}{path}"))
            .header("authorization", "Bearer secret")
            .call()
    };
    let mut models = authorised("/v1/models").expect("the key is right");
    let models = models.body_mut().read_to_string().expect("text");
    let models: serde_json::Value = serde_json::from_str(&models).expect("JSON");
    assert_eq!(models["data"][0]["id"], "tiny");
    assert_eq!(
        models["data"][0]["max_model_len"], 128,
        "a flag counts more than a variable"
    );
    assert!(authorised("/metrics").is_ok(), "a variable counts");
}

/// A port that is taken as long as the listener lives: a server that is started there by mistake ends at once.
fn taken_port() -> (TcpListener, String) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    (listener, port.to_string())
}

#[test]
fn what_there_is_not_is_refused() {
    let home = folder("serve_refused");
    let model = model();
    let (_listener, port) = taken_port();
    let serve = |more: &[&str]| ingle(&home, &[&["serve", "--port", &port], more].concat());
    for flags in [
        &["-ngl", "99"] as &[&str],
        &["--mlock"],
        &["--lora", "x"],
        &["--no-jinja"],
        &["-ctk", "q8_0"],
        &["-t", "2", "-tb", "4"],
        &["--spec-type", "draft-simple"],
        &["--chat-template", "chatml"],
        &["--reasoning-budget", "-2"],
        &["--cache-ram", "-2"],
        &["--api-prefix", "{x}"],
        &["--top-p", "2"],
    ] {
        outcome(&mut serve(&[&[model.as_str()], flags].concat())).failure(2);
    }
    let gpu = outcome(serve(&[&model]).env("LLAMA_ARG_N_GPU_LAYERS", "all")).failure(2);
    assert!(gpu.contains("LLAMA_ARG_N_GPU_LAYERS"), "{gpu}");
    std::fs::write(home.join("empty"), "# none\n").expect("writable");
    let keys = outcome(&mut serve(&[&model, "--api-key-file", "empty"])).failure(1);
    assert!(keys.contains("empty"), "{keys}");
    let listening = outcome(&mut serve(&[&model])).failure(1);
    assert!(listening.contains(&port), "{listening}");
    // This one listens before it looks for the model.
    let args = ["serve", "--port", "0", "--offline", "no/such"];
    let offline = outcome(ingle(&home, &args).env_remove("HF_HUB_OFFLINE")).failure(1);
    assert!(offline.contains("no/such"), "{offline}");
}

#[test]
fn a_model_at_a_server_answers_as_one_that_is_here() {
    let home = folder("serve_run");
    let model = model();
    let server = Serving::start(
        &home,
        &[
            "-m",
            &model,
            "--alias",
            "tiny",
            "--chat-template",
            TEMPLATE,
            "--sleep-idle-seconds",
            "600",
        ],
    );
    let same = ["--temp", "0", "-n", "40", "--seed", "3"];
    let there = |more: &[&str]| {
        let args = [&["run", "--host", &server.url], &same[..], more].concat();
        outcome(&mut ingle(&home, &args))
    };
    let here = |more: &[&str]| {
        let args = [
            &["run", "--model", &model, "--chat-template", TEMPLATE],
            &same[..],
            more,
        ]
        .concat();
        outcome(&mut ingle(&home, &args))
    };
    let prompt = "Once upon a time, there was";
    assert_eq!(there(&[prompt]).text(), here(&[prompt]).text());
    let raw = ["run", "--raw", "--model", &model];
    let raw = outcome(&mut ingle(&home, &[&raw, &same[..], &[prompt]].concat())).text();
    assert_eq!(there(&["--raw", prompt]).text(), raw);
    let json = there(&["--json", prompt]).json();
    assert_eq!(
        (
            json["model"].as_str(),
            json["usage"]["completion_tokens"].as_u64()
        ),
        (Some("tiny"), Some(40))
    );
    assert!(
        json["timings"]["prompt_ms"]
            .as_f64()
            .is_some_and(|ms| ms > 0.0),
        "{json}"
    );
    let banned = ["-l", "403-inf", "-l", "395-inf", prompt];
    assert_eq!(there(&banned).text(), here(&banned).text());
    assert_ne!(here(&banned).text(), here(&[prompt]).text());
    let schema = there(&["--choice", "yes|no", prompt]).text();
    assert!(["yes\n", "no\n"].contains(&schema.as_str()), "{schema}");
    there(&["--ctx", "64", prompt]).failure(2);
    // The server says what is wrong.
    there(&["--grammar", "root ::= (", prompt]).failure(1);
}

#[test]
fn what_a_server_holds_is_listed_and_let_go() {
    let home = folder("serve_ps");
    let server = Serving::start(
        &home,
        &[
            "-m",
            &model(),
            "--alias",
            "tiny",
            "--sleep-idle-seconds",
            "600",
        ],
    );
    let table = outcome(&mut ingle(&home, &["ps", "--host", &server.url])).text();
    let mut lines = table.lines();
    assert_eq!(
        lines.next().map(|line| line.split_whitespace().collect()),
        Some(vec!["NAME", "SIZE", "CONTEXT", "IDLE", "UNTIL"])
    );
    let row = lines.next().expect("it is loaded");
    assert!(
        row.starts_with("tiny ") && row.contains(" 512 ") && row.contains("from now"),
        "{row}"
    );
    let found = outcome(ingle(&home, &["ps", "--json"]).env("INGLE_HOST", &server.url)).json();
    assert_eq!(found["models"][0]["id"], "tiny");
    let stopped = outcome(&mut ingle(&home, &["stop", "--host", &server.url]));
    assert!(stopped.stderr.contains("unloaded tiny"), "{stopped:?}");
    let found = outcome(ingle(&home, &["ps", "--json"]).env("INGLE_HOST", &server.url)).json();
    assert_eq!(found["models"].as_array().map(Vec::len), Some(0));
    outcome(&mut ingle(&home, &["stop", "tiny", "--host", &server.url])).failure(1);
}

#[test]
fn a_server_that_is_not_there_gets_a_hint() {
    let home = folder("serve_absent");
    for args in [
        &["ps"] as &[&str],
        &["stop"],
        &["run", "hi", "--host", "127.0.0.1:1"],
    ] {
        let failed = outcome(ingle(&home, args).env("OLLAMA_HOST", "127.0.0.1:1"));
        assert!(failed.failure(1).contains("\nhint: `ingle serve`"));
    }
    outcome(&mut ingle(&home, &["ps", "--host", "ftp://x"])).failure(2);
}
