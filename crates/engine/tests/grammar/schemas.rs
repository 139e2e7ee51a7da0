//! JSON schemas: everything that a blind sampler writes is valid, and what cannot be enforced is refused.

use engine::grammar::{GrammarError, GrammarSpec};
use serde_json::{Value, json};

use crate::support::{Kit, llama, qwen};
use crate::validator::is_valid;

/// 42 schemas, each followed 12 times: 504 replies.
const TIMES: u64 = 12;

#[test]
fn five_hundred_random_replies_are_valid() {
    let cases = testkit::golden::json("schemas/schemas.json");
    let mut num_valid = 0;
    let mut num_beyond_f64 = 0;
    for (i, case) in cases["accepted"]
        .as_array()
        .expect("a list")
        .iter()
        .enumerate()
    {
        let schema = &case["schema"];
        let kits: [&Kit; 2] = [qwen(), llama()];
        let starts = kits.map(|kit| {
            let spec = GrammarSpec::JsonSchema(schema.clone());
            kit.compile(spec)
                .unwrap_or_else(|e| panic!("{schema}: {e}"))
        });
        for seed in 0..TIMES {
            let which = usize::from(seed % 4 == 3);
            let (kit, mut grammar) = (kits[which], starts[which].clone());
            let (text, _) = kit.write(&mut grammar, seed << 32 | i as u64, 40);
            match serde_json::from_str::<Value>(&text) {
                Ok(value) => {
                    assert!(is_valid(schema, schema, &value), "{schema}\n{text}");
                    num_valid += 1;
                }
                // JSON puts no bound on numbers, f64 does.
                Err(e) if e.to_string().contains("number out of range") => num_beyond_f64 += 1,
                Err(e) => panic!("{schema}\n{text}\n{e}"),
            }
        }
    }
    assert!(
        num_valid >= 500,
        "{num_valid} valid, {num_beyond_f64} beyond f64"
    );
}

#[test]
fn instances_that_are_valid_are_allowed() {
    let kit = qwen();
    let cases = testkit::golden::json("schemas/schemas.json");
    for case in cases["accepted"].as_array().expect("a list") {
        let spec = GrammarSpec::JsonSchema(case["schema"].clone());
        let start = kit.compile(spec).expect("it is accepted");
        for instance in case["instances"].as_array().expect("a list") {
            for text in [instance.to_string(), spaced(instance)] {
                let mut grammar = start.clone();
                for id in kit.tokenizer.encode(&text, false, false) {
                    grammar
                        .commit(id)
                        .unwrap_or_else(|e| panic!("{}\n{text}\n{e}", case["schema"]));
                }
                assert!(grammar.is_accepting(), "{}\n{text}", case["schema"]);
            }
        }
    }
}

#[test]
fn what_cannot_be_enforced_is_refused_and_placed() {
    let kit = qwen();
    let cases = testkit::golden::json("schemas/schemas.json");
    for case in cases["refused"].as_array().expect("a list") {
        let schema = &case["schema"];
        match kit.compile(GrammarSpec::JsonSchema(schema.clone())) {
            Ok(_) => panic!("accepted: {schema}"),
            Err(GrammarError::Schema { at, why }) => {
                assert_eq!(at, case["at"].as_str().expect("a place"), "{schema}: {why}");
            }
            Err(other) => panic!("{schema}: {other}"),
        }
    }
}

/// JSON as most people and models write it on one line: a space behind each comma and colon.
fn spaced(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(spaced).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(fields) => {
            let fields = fields.iter();
            let fields: Vec<_> = fields
                .map(|(name, value)| format!("{}: {}", json!(name), spaced(value)))
                .collect();
            format!("{{{}}}", fields.join(", "))
        }
        plain => plain.to_string(),
    }
}

#[test]
fn white_space_is_one_space() {
    let kit = qwen();
    let mut grammar = kit.compile(GrammarSpec::JsonObject).expect("it compiles");
    let id = |text| kit.tokenizer.encode(text, false, false)[0];
    grammar.commit(id("{")).expect("it is an object");
    for text in ["\n", "\t", "  "] {
        let taken = grammar.clone().commit(id(text));
        assert!(taken.is_err(), "{text:?} between two tokens");
    }
    grammar.commit(id(" ")).expect("one is allowed");
    grammar.commit(id(" ")).expect_err("and no other");
}
