//! Clients that mean harm, or know no better: after all of them the server is what it was.
//!
//! One round of them is quick; `INGLE_SOAK=N` goes on for N seconds, and says what was held before and after.

#![allow(clippy::print_stdout, reason = "figures of a soak are for people")]

#[path = "../it/support.rs"]
#[allow(dead_code, reason = "the other tests need the rest")]
mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;

use support::{Fixture, options};

/// Threads and memory are counted: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long rounds go on; there is one in any case.
fn soak() -> Duration {
    let given = std::env::var("INGLE_SOAK").ok();
    Duration::from_secs(given.and_then(|text| text.parse().ok()).unwrap_or(0))
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it accepts");
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a socket");
    stream
}

fn send(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = connect(address);
    // A server that has heard enough may close first.
    let _ = stream.write_all(bytes);
    stream
}

fn post(path: &str, body: &str) -> Vec<u8> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body.as_bytes()].concat()
}

/// The status of an answer, if one came before the connection ended.
fn status(mut stream: TcpStream) -> Option<u16> {
    let mut start = [0; 12];
    stream.read_exact(&mut start).ok()?;
    let text = std::str::from_utf8(&start).ok()?;
    text.strip_prefix("HTTP/1.1 ")?.parse().ok()
}

/// Threads and open files of this process, which the server is in.
fn held() -> (usize, usize) {
    let count = |folder: &str| fs::read_dir(folder).map_or(0, Iterator::count);
    (count("/proc/self/task"), count("/proc/self/fd"))
}

/// Resident memory in KiB.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok())
        .unwrap_or(0)
}

/// Waits until no reply is under way and no block is held.
fn settle(server: &Fixture) {
    let begun = Instant::now();
    loop {
        let text = server.get("/metrics").text;
        let is_zero = |name: &str| {
            let line = text
                .lines()
                .find(|line| line.starts_with(&format!("{name}{{")));
            line.is_some_and(|line| line.ends_with(" 0.0"))
        };
        let names = [
            "ingle_requests_running",
            "ingle_requests_waiting",
            "ingle_kv_cache_usage_ratio",
        ];
        if names.iter().all(|name| is_zero(name)) {
            return;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "something is held:\n{text}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

const STREAM: &str =
    r#"{"prompt": "One day", "stream": true, "ignore_eos": true, "max_tokens": 400}"#;

fn vanish(address: SocketAddr, num: usize) {
    for i in 0..num {
        let mut stream = send(address, &post("/v1/completions", STREAM));
        let mut some = vec![0; 1 + i % 700];
        match i % 3 {
            0 => {}
            1 => drop(stream.read(&mut some)),
            _ => drop(stream.read_exact(&mut some)),
        }
        match i % 2 {
            0 => drop(stream),
            _ => drop(stream.shutdown(Shutdown::Both)),
        }
    }
}

/// Who knows how to behave, in every dialect, a few tokens at a time.
fn behave(server: &Fixture, num: usize) {
    let chat = json!([{ "role": "user", "content": "Tell a story" }]);
    let bodies = [
        (
            "/v1/completions",
            json!({ "prompt": "One day", "max_tokens": 8 }),
        ),
        (
            "/v1/chat/completions",
            json!({ "messages": chat, "max_tokens": 8, "n": 2 }),
        ),
        (
            "/v1/responses",
            json!({ "input": "Tell a story", "max_output_tokens": 8 }),
        ),
        ("/v1/messages", json!({ "messages": chat, "max_tokens": 8 })),
        (
            "/api/chat",
            json!({ "messages": chat, "stream": false, "options": { "num_predict": 8 } }),
        ),
        (
            "/completion",
            json!({ "prompt": ["One day", "A cat"], "n_predict": 8, "stream": true }),
        ),
        ("/v1/embeddings", json!({ "input": ["a cat", "a dog"] })),
        ("/tokenize", json!({ "content": "One day" })),
    ];
    for i in 0..num {
        let (path, body) = &bodies[i % bodies.len()];
        let mut answer = server.post(path, body);
        // There are more clients than places.
        while answer.status == 429 {
            std::thread::sleep(Duration::from_millis(50));
            answer = server.post(path, body);
        }
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    }
}

/// Every kind of malformed request; each must get an answer of the 4xx, or an end.
fn malformed(address: SocketAddr, num: usize) {
    let bodies = [
        "",
        "{",
        "null",
        "[]",
        "\"text\"",
        "{\"prompt\"",
        "{\"prompt\": }",
        "{\"prompt\": 1e999}",
        "{\"prompt\": {}}",
        "{\"prompt\": [[]]}",
        "{\"prompt\": [-1]}",
        "{\"prompt\": [99999999]}",
        "{\"prompt\": \"x\", \"n\": -1}",
        "{\"prompt\": \"x\", \"n\": 18446744073709551616}",
        "{\"prompt\": \"x\", \"max_tokens\": 1.5}",
        "{\"prompt\": \"x\", \"temperature\": \"NaN\"}",
        "{\"prompt\": \"x\", \"logit_bias\": [[1]]}",
        "{\"prompt\": \"x\", \"stop\": [[]]}",
        "{\"prompt\": \"x\", \"grammar\": \"root ::= ((((\"}",
        "{\"prompt\": \"x\", \"json_schema\": {\"$ref\": \"#/nowhere\"}}",
        "{\"prompt\": \"\u{0}\"",
        "{\"prompt\": \"x\", \"samplers\": [\"no such\"]}",
        "{\"prompt\": \"x\", \"logprobs\": 100000}",
        "{\"prompt\": \"x\", \"dry_multiplier\": -1}",
        "{\"prompt\": \"x\", \"repeat_last_n\": -2}",
    ];
    let deep = format!("{{\"prompt\": {}", "[".repeat(10_000));
    let heads = [
        "GET / HTTP/9.9\r\n\r\n",
        "\r\n\r\n",
        "POST\r\n\r\n",
        "GET /v1/\u{7f}models HTTP/1.1\r\nhost: x\r\n\r\n",
        "POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n",
        "POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        "PATCH /v1/completions HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "GET /v1/models/%ff%fe HTTP/1.1\r\nhost: localhost\r\n\r\n",
    ];
    for i in 0..num {
        let request = match i % 4 {
            0 => heads[i / 4 % heads.len()].as_bytes().to_vec(),
            1 if i % 64 == 1 => post("/v1/completions", &deep),
            1 | 2 => post("/v1/completions", bodies[i / 4 % bodies.len()]),
            _ => post("/v1/chat/completions", bodies[i / 4 % bodies.len()]),
        };
        let stream = send(address, &request);
        // Nothing more will come, so a request that is cut ends here.
        let _ = stream.shutdown(Shutdown::Write);
        if let Some(status) = status(stream) {
            let shown = String::from_utf8_lossy(&request[..request.len().min(200)]).into_owned();
            assert!((400..500).contains(&status), "{status} for {shown}");
        }
    }
}

#[test]
fn whatever_clients_do_the_server_is_what_it_was() {
    let _alone = alone();
    let mut hostile = options();
    hostile.patience = Duration::from_millis(500);
    hostile.ping = Duration::from_millis(100);
    let server = Fixture::start(hostile);
    let address = server.address;
    // Once for everything that is made on first use.
    vanish(address, 20);
    malformed(address, 64);
    settle(&server);
    let (threads, files) = held();
    let before = resident();
    let (begun, mut rounds, mut first_round) = (Instant::now(), 0, 0);
    let mut slowest = Duration::ZERO;
    while rounds == 0 || begun.elapsed() < soak() {
        std::thread::scope(|scope| {
            let mut clients = Vec::new();
            for _ in 0..4 {
                clients.push(scope.spawn(|| vanish(address, 50)));
                clients.push(scope.spawn(|| malformed(address, 500)));
                clients.push(scope.spawn(|| behave(&server, 8)));
            }
            // Somebody asks all the while whether it lives.
            while !clients.iter().all(|client| client.is_finished()) {
                let asked = Instant::now();
                assert_eq!(server.get("/health").status, 200);
                slowest = slowest.max(asked.elapsed());
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        rounds += 1;
        if rounds == 1 {
            settle(&server);
            first_round = resident();
        }
    }
    settle(&server);
    let text = server
        .post(
            "/v1/completions",
            &json!({ "prompt": "One day", "max_tokens": 5, "temperature": 0 }),
        )
        .ok();
    assert_eq!(text["choices"][0]["text"], ", a little gir");
    let (after, grown) = (held().0, resident().saturating_sub(before));
    // A connection that was cut may take the server a moment to close.
    let closing = Instant::now();
    while held().1 > files + 10 {
        let open = held().1;
        let waited = closing.elapsed();
        assert!(
            waited < Duration::from_secs(10),
            "files: {files} before, {open} after"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    if rounds > 1 {
        println!(
            "{rounds} rounds in {:?}: threads {threads}, then {after}; files {files}, then {}; \
             {before} KiB, {first_round} after the first round, then {}; /health within {slowest:?}",
            begun.elapsed(),
            held().1,
            resident(),
        );
    }
    assert!(
        after <= threads + 20,
        "threads: {threads} before, {after} after"
    );
    assert!(
        grown < 64 << 10,
        "{grown} KiB more than before, after {:?}",
        begun.elapsed()
    );
}

#[test]
fn stalled_clients_are_cut_off() {
    let _alone = alone();
    let mut patient = options();
    patient.patience = Duration::from_millis(500);
    let server = Fixture::start(patient);
    let address = server.address;
    let lorises: Vec<TcpStream> = (0..100)
        .map(|_| send(address, b"POST /v1/completions HTTP/1.1\r\nhost: lo"))
        .collect();
    let halves: Vec<TcpStream> = (0..50)
        .map(|_| send(address, b"POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{\"prompt"))
        .collect();
    assert_eq!(
        server.get("/health").status,
        200,
        "others are served meanwhile"
    );
    for mut stream in lorises {
        let mut rest = Vec::new();
        assert!(
            stream.read_to_end(&mut rest).is_ok() || !rest.is_empty(),
            "an end, not a time-out"
        );
    }
    for stream in halves {
        assert_eq!(status(stream), Some(408));
    }
    settle(&server);
}

#[test]
fn who_does_not_read_holds_nothing() {
    let _alone = alone();
    let mut patient = options();
    patient.patience = Duration::from_millis(300);
    let server = Fixture::start(patient);
    // More than all buffers on the way have room for.
    let body =
        json!({ "prompt": "One", "stream": true, "ignore_eos": true, "n": 128, "max_tokens": 500 });
    let deaf = send(server.address, &post("/v1/completions", &body.to_string()));
    let places = || {
        let text = server.get("/metrics").text;
        let line = text
            .lines()
            .find(|line| line.starts_with("ingle_places_taken "));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .expect("a number")
    };
    let begun = Instant::now();
    while places() > 0.0 {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "its places are still taken"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    settle(&server);
    drop(deaf);
}

#[test]
fn each_limit_holds_at_its_edge() {
    let _alone = alone();
    let mut small = options();
    small.max_body = 10_000;
    let server = Fixture::start(small);
    let body = |padding: usize| {
        let text =
            json!({ "prompt": "One", "max_tokens": 1, "user": "x".repeat(padding) }).to_string();
        (text.len(), text)
    };
    let (empty, _) = body(0);
    let (len, text) = body(10_000 - empty);
    assert_eq!(
        (
            len,
            server.post_text("/v1/completions", &text).status.as_u16()
        ),
        (10_000, 200)
    );
    let (_, text) = body(10_001 - empty);
    assert_eq!(server.post_text("/v1/completions", &text).status, 413);
    let ask = |fields: serde_json::Value| {
        let mut body = json!({ "prompt": "One", "max_tokens": 1 });
        for (name, value) in fields.as_object().expect("an object") {
            body[name] = value.clone();
        }
        server.post("/v1/completions", &body).status.as_u16()
    };
    assert_eq!(ask(json!({ "stop": vec!["x"; 64] })), 200);
    assert_eq!(ask(json!({ "stop": vec!["x"; 65] })), 400);
    assert_eq!(ask(json!({ "stop": "x".repeat(1024) })), 200);
    assert_eq!(ask(json!({ "stop": "x".repeat(1025) })), 400);
    assert_eq!(ask(json!({ "logprobs": 128 })), 200);
    assert_eq!(ask(json!({ "logprobs": 129 })), 400);
    assert_eq!(ask(json!({ "n": 128 })), 200);
    assert_eq!(ask(json!({ "n": 129 })), 400);
    assert_eq!(ask(json!({ "prompt": vec!["x"; 256] })), 200);
    assert_eq!(ask(json!({ "prompt": vec!["x"; 257] })), 400);
    assert_eq!(ask(json!({ "prompt": vec![1; 511] })), 200);
    assert_eq!(ask(json!({ "prompt": vec![1; 512] })), 400);
    let headers = format!(
        "GET /health HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n",
        "x".repeat(1_000_000)
    );
    assert_eq!(status(send(server.address, headers.as_bytes())), Some(431));
}

#[test]
fn the_end_lets_replies_finish_and_refuses_new_ones() {
    let _alone = alone();
    let mut server = Fixture::new();
    let address = server.address;
    let mut running = send(address, &post("/v1/completions", STREAM));
    let mut start = [0; 300];
    running.read_exact(&mut start).expect("it begins");
    server.end();
    let mut text = String::from_utf8_lossy(&start).into_owned();
    running
        .read_to_string(&mut text)
        .expect("it goes on to its end");
    assert!(
        text.contains("data: [DONE]"),
        "the reply was cut off:\n{text}"
    );
}
