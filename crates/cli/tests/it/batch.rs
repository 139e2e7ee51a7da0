//! `ingle batch`: nothing is lost, nothing done twice, nothing ignored.

use std::fs;

use serde_json::Value;

use crate::support::{Home, stories};

fn lines(path: &std::path::Path) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("it is there");
    let line = |line: &str| serde_json::from_str(line).expect("a line of JSON");
    text.lines().map(line).collect()
}
