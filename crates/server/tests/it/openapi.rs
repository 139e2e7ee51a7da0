//! What the server says of itself.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Fixture, options};

/// Every `$ref` in it.
fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str));
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn what_is_described_is_there() {
    let server = Fixture::new();
    let described = server.get("/openapi.json").ok();
    assert_eq!(described["openapi"], "3.1.0");
    let mut found = BTreeSet::new();
    references(&described, &mut found);
    assert!(found.len() > 20, "{found:?}");
    for reference in found {
        let pointer = reference.strip_prefix('#').expect("in this document");
        assert!(described.pointer(pointer).is_some(), "{reference}");
    }
    let mut ids = BTreeSet::new();
    for (path, methods) in described["paths"].as_object().expect("paths") {
        let path = path.replace("{id}", "0").replace("{digest}", "0");
        for (method, operation) in methods.as_object().expect("methods") {
            assert!(ids.insert(operation["operationId"].as_str().expect("text").to_owned()));
            assert!(
                operation["responses"]["200"].is_object()
                    && operation["responses"]["400"].is_object()
            );
            let answer = match method.as_str() {
                // It goes on as long as somebody listens.
                "get" if path == "/models/sse" => continue,
                "get" => server.get(&path),
                // Nobody reads a number.
                "post" => server.post(&path, &json!(1)),
                "delete" | "head" => continue,
                other => panic!("{other} {path}: the test knows no such method"),
            };
            let status = answer.status.as_u16();
            let is_there = status != 405 && (status != 404 || path.contains('0'));
            assert!(is_there, "{method} {path}: {}", answer.text);
            let is_described = operation["responses"].get(status.to_string()).is_some();
            assert!(is_described, "{method} {path}: {status}");
        }
    }
}

#[test]
fn a_prefix_goes_before_all_paths() {
    let mut behind = options();
    behind.prefix = "/llm".into();
    let server = Fixture::start(behind);
    assert_eq!(server.get("/openapi.json").status, 404);
    let described = server.get("/llm/openapi.json").ok();
    assert_eq!(described["servers"][0]["url"], "/llm");
    let body = json!({ "prompt": "One", "n_predict": 1 });
    server.post("/llm/completion", &body).ok();
}
