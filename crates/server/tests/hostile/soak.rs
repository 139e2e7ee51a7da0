//! All of them at once, round after round: nothing stays of those that went, and nothing grows.
//!
//! Two rounds are quick; `INGLE_SOAK=N` goes on for N seconds, and says what was held on the way.

#![allow(clippy::print_stdout, reason = "figures of a soak are for people")]

use std::io::Read;
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, Instant};
use std::{fmt, fs};

use peak_alloc::PeakAlloc;
use serde_json::json;

use super::support::{Fixture, options};
use super::{STREAM, alone, post, send, settle, status};

/// Clients are in the same process, but are gone when it is read.
#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// How long rounds go on; there is one in any case.
fn soak() -> Duration {
    let given = std::env::var("INGLE_SOAK").ok();
    Duration::from_secs(given.and_then(|text| text.parse().ok()).unwrap_or(0))
}

/// What this process holds, which the server is in.
#[derive(Clone, Copy)]
struct Held {
    threads: usize,
    files: usize,
    heap_kib: usize,
    resident_kib: usize,
}

impl Held {
    fn now() -> Self {
        let count = |folder: &str| fs::read_dir(folder).map_or(0, Iterator::count);
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
        Self {
            threads: count("/proc/self/task"),
            files: count("/proc/self/fd"),
            heap_kib: HEAP.current_usage() >> 10,
            resident_kib: resident.unwrap_or(0),
        }
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            threads,
            files,
            heap_kib,
            resident_kib,
        } = self;
        write!(
            f,
            "{threads} threads, {files} files, {heap_kib} KiB allocated, {resident_kib} KiB resident"
        )
    }
}

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
    let (begun, mut slowest) = (Instant::now(), Duration::ZERO);
    let mut held = Vec::new();
    let mut told = Instant::now();
    while held.len() < 2 || begun.elapsed() < soak() {
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
        settle(&server);
        // The first round makes what is made on first use.
        let first = held.first().copied();
        held.push(closed(first.as_ref()));
        if first.is_none() || told.elapsed() > Duration::from_secs(20) {
            told = Instant::now();
            let round = held.len();
            println!("{:?}, round {round}: {}", begun.elapsed(), held[round - 1]);
        }
    }
    let text = server
        .post(
            "/v1/completions",
            &json!({ "prompt": "One day", "max_tokens": 5, "temperature": 0 }),
        )
        .ok();
    assert_eq!(text["choices"][0]["text"], ", a little gir");
    let (first, last) = (held[0], held[held.len() - 1]);
    let (time, rounds) = (begun.elapsed(), held.len());
    println!("{rounds} rounds in {time:?}: {first}; then {last}; /health within {slowest:?}");
    let more = |what: fn(&Held) -> usize, most: usize| what(&last) <= what(&first) + most;
    // Threads for what takes its time stay for a while.
    assert!(more(|held| held.threads, 20), "{first}; then {last}");
    assert!(more(|held| held.heap_kib, 1 << 10), "{first}; then {last}");
    assert!(
        more(|held| held.resident_kib, 64 << 10),
        "{first}; then {last}"
    );
}

/// What is held, once connections that were cut are closed, which may take the server a moment.
fn closed(before: Option<&Held>) -> Held {
    let most = before.map_or(20, |held| held.files + 2);
    let begun = Instant::now();
    loop {
        let held = Held::now();
        if held.files <= most {
            return held;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{held}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
