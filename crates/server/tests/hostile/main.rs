//! Clients that mean harm, or know no better: after all of them the server is what it was.

#[path = "../it/support.rs"]
#[allow(dead_code, reason = "the other tests need the rest")]
mod support;

mod soak;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;

use support::{Fixture, options};

const STREAM: &str =
    r#"{"prompt": "One day", "stream": true, "ignore_eos": true, "max_tokens": 400}"#;

/// Threads and memory are counted: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
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
            "ingle_kv_cache_window_usage_ratio",
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
