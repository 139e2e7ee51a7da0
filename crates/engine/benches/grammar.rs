//! What grammars cost: `cargo bench -p engine --bench grammar`.
//!
//! For two vocabularies and a few grammars: microseconds to compile, per mask (with what a blind sampler writes),
//! per committed token, per clone; and what the shared trie takes.

#![allow(missing_docs, clippy::print_stdout, reason = "a benchmark")]

use std::io::Read;
use std::time::Instant;

use engine::grammar::{GrammarEngine, GrammarSpec};
use engine::vocab::tokenizer_from_gguf;
use formats::Gguf;
use serde_json::json;

fn main() {
    for name in ["gpt-2", "qwen2"] {
        let packed = testkit::golden::bytes(&format!("vocab/{name}.gguf.gz"));
        let mut bytes = Vec::new();
        let unpacked = flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut bytes);
        unpacked.expect("it is gzip");
        let file = Gguf::parse(bytes).expect("it parses");
        let tokenizer = tokenizer_from_gguf(file.metadata()).expect("it is a vocabulary");
        let start = Instant::now();
        let engine = GrammarEngine::new(&tokenizer, tokenizer.vocab_size()).expect("a trie");
        let took = start.elapsed().as_millis();
        println!(
            "{name}: {} tokens, trie in {took} ms",
            tokenizer.vocab_size()
        );
        for (kind, spec) in grammars() {
            measure(&engine, kind, &spec);
        }
    }
}

fn grammars() -> Vec<(&'static str, GrammarSpec)> {
    let person = json!({
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 30},
            "born": {"type": "string", "format": "date"},
            "tags": {"type": "array", "items": {"enum": ["red", "green", "blue"]}, "maxItems": 3}
        },
        "required": ["name", "born", "tags"],
        "additionalProperties": false
    });
    let json = "root ::= value\nvalue ::= \"{\" (pair (\",\" pair)*)? \"}\" | \"[\" (value (\",\" value)*)? \"]\" | text | [0-9]+\n\
        pair ::= text \":\" value\ntext ::= \"\\\"\" [^\"\\\\\\x00-\\x1F]* \"\\\"\"";
    let choices = ["create", "read", "update", "delete", "other"].map(String::from);
    vec![
        ("JSON schema", GrammarSpec::JsonSchema(person)),
        ("any object", GrammarSpec::JsonObject),
        ("GBNF", GrammarSpec::Gbnf(json.to_owned())),
        (
            "regex",
            GrammarSpec::Regex("[a-z]{3,20}(, [a-z]{3,20}){0,9}".to_owned()),
        ),
        ("choice", GrammarSpec::Choice(choices.to_vec())),
    ]
}

fn measure(engine: &GrammarEngine, kind: &str, spec: &GrammarSpec) {
    let start = Instant::now();
    let first = engine.compile(spec).expect("it compiles");
    let compile = start.elapsed().as_micros();
    let (mut masks, mut commits, mut clones) = (Vec::new(), Vec::new(), Vec::new());
    for seed in 1..=8_u64 {
        let mut grammar = first.clone();
        let mut state = seed;
        for _ in 0..60 {
            if grammar.is_stopped() {
                break;
            }
            let start = Instant::now();
            let mask = grammar.mask().expect("a mask").to_vec();
            masks.push(start.elapsed().as_nanos());
            let set: Vec<u32> = (0..mask.len() as u32 * 32)
                .filter(|id| mask[*id as usize / 32] >> (id % 32) & 1 == 1)
                .collect();
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let start = Instant::now();
            let clone = grammar.clone();
            clones.push(start.elapsed().as_nanos());
            drop(clone);
            let start = Instant::now();
            grammar
                .commit(set[(state >> 33) as usize % set.len()])
                .expect("allowed");
            commits.push(start.elapsed().as_nanos());
        }
    }
    let (mask, commit, clone) = (summary(masks), summary(commits), summary(clones));
    println!("  {kind:12} compile {compile:6} us   mask {mask}   commit {commit}   clone {clone}");
}

/// Median, mean and largest, in microseconds.
fn summary(mut times: Vec<u128>) -> String {
    times.sort_unstable();
    let mean = times.iter().sum::<u128>() / times.len() as u128;
    let us = |ns: u128| ns as f64 / 1e3;
    let largest = times.last().copied().unwrap_or(0);
    format!(
        "{:.1}/{:.1}/{:.1}",
        us(times[times.len() / 2]),
        us(mean),
        us(largest)
    )
}
