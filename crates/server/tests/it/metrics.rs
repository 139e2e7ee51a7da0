//! What `/metrics` tells.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;

use formats::gguf::Value as Meta;
use serde_json::json;

use crate::support::{Changed, Fixture};

/// A metric that one model has.
fn value(server: &Fixture, name: &str) -> f64 {
    let text = server.get("/metrics").text;
    let start = format!("{name}{{");
    let line = text.lines().find(|line| line.starts_with(&start));
    let value = line.and_then(|line| line.rsplit(' ').next()?.parse().ok());
    value.unwrap_or_else(|| panic!("no {name}:\n{text}"))
}

#[test]
fn all_are_in_the_documentation() {
    let server = Fixture::new();
    let body = json!({ "prompt": "One day", "max_tokens": 3 });
    server.post("/v1/completions", &body).ok();
    let text = server.get("/metrics").text;
    let types = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ingle_"));
    let told: BTreeSet<String> = types
        .filter_map(|line| line.split_once(' '))
        .map(|(name, kind)| match kind {
            "counter" => format!("ingle_{name}_total"),
            _ => format!("ingle_{name}"),
        })
        .collect();
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/serving.md");
    let page = std::fs::read_to_string(page).expect("a page");
    let words = page.split('`').filter(|word| word.starts_with("ingle_"));
    assert_eq!(told, words.map(str::to_owned).collect());
}

#[test]
fn blocks_of_windows_are_counted() {
    let file = Changed::new("metrics-window.gguf", |parts| {
        let key = "llama.attention.sliding_window";
        parts.metadata.insert(key, Meta::U32(64));
    });
    for (server, has_windows) in [
        (Fixture::start(file.options()), true),
        (Fixture::new(), false),
    ] {
        let num = value(&server, "ingle_kv_cache_window_blocks");
        assert_eq!(num > 0.0, has_windows, "{num} blocks");
        assert_eq!(value(&server, "ingle_kv_cache_window_usage_ratio"), 0.0);
    }
}

/// Else whoever can send requests could have the server keep as many labels as they like.
#[test]
fn methods_that_nobody_knows_are_one_label() {
    let server = Fixture::new();
    for method in ["GET", "BREW", "PROPFIND", "get"] {
        let mut stream = TcpStream::connect(server.address).expect("it accepts");
        let head = "/health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        let sent = stream.write_all(format!("{method} {head}").as_bytes());
        sent.expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
    }
    let text = server.get("/metrics").text;
    let methods = text.split("method=\"").skip(1);
    let methods: BTreeSet<&str> = methods.filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(methods, BTreeSet::from(["GET", "other"]));
}
