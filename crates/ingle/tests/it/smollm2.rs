//! SmolLM2-135M against llama.cpp: strictly without int8 rounding, statistically with it.
//!
//! `golden/llama/README.md` says why there are two measures: one int8 rounding that falls the other way
//! moves hundreds after it, so llama.cpp's own kernels disagree among themselves as much as with us.

use std::path::PathBuf;

use ingle::model::{Batch, KvCache, KvType, LoadOptions, Model as Weights, NoProbe, Workspace};
use ingle::{Gguf, Level, Model, perplexity};
use serde_json::Value;
use testkit::{distance, golden, weights};

const FILE: &str = "SmolLM2-135M-Instruct.Q4_1.gguf";
const STEPS: usize = 64;
/// Two logits so close may change places by rounding alone.
const CLOSE: f32 = 0.02;

/// One thread each: the tests of this file run side by side.
const OPTIONS: LoadOptions = LoadOptions {
    num_threads: 1,
    level: None,
};

/// The model's file, if it is here. At the scalar level each of these tests would take many
/// minutes to find the same bits: that they are the same is shown elsewhere, on small models.
fn file() -> Option<PathBuf> {
    if Level::from_env() == Ok(Level::Scalar) {
        println!("skipped: the scalar level is too slow for `{FILE}`");
        return None;
    }
    let path = golden::real_model(FILE);
    if path.is_none() {
        println!("skipped: `{FILE}` is not here\nhint: `cargo xtask fetch`");
    }
    path
}

fn open() -> Option<Gguf> {
    file().map(|path| Gguf::open(path).unwrap())
}

/// Greedy continuations of all prompts, computed together; each token with its lead over the second.
fn continuations(weights: &Weights, prompts: &[Vec<u32>]) -> Vec<Vec<(u32, f32)>> {
    let config = weights.config();
    let longest = prompts.iter().map(Vec::len).max().unwrap_or(0) + STEPS;
    let blocks = KvCache::blocks_for(longest) as u32;
    let tables: Vec<Vec<u32>> = (0..prompts.len() as u32)
        .map(|i| (i * blocks..(i + 1) * blocks).collect())
        .collect();
    let mut cache = KvCache::new(config, KvType::F16, tables.len() * blocks as usize, 1);
    let mut workspace = Workspace::new(config, prompts.concat().len(), prompts.len());
    let mut done = vec![0; prompts.len()];
    let mut next = prompts.to_vec();
    let mut replies = vec![Vec::new(); prompts.len()];
    for _ in 0..STEPS {
        let mut batch = Batch::default();
        for ((tokens, done), table) in next.iter().zip(&mut done).zip(&tables) {
            batch.push_sequence(tokens, *done, table, 0);
            batch.outputs.push(batch.len() - 1);
            *done += tokens.len();
        }
        let logits = weights.forward(&batch, &mut cache, &mut workspace, &mut NoProbe);
        let rows = logits.expect("readable").chunks_exact(config.vocab_size);
        for ((row, reply), next) in rows.zip(&mut replies).zip(&mut next) {
            let (best, lead) = distance::best(row);
            reply.push((best as u32, lead));
            *next = vec![best as u32];
        }
    }
    replies
}

/// Compares with a golden file's texts; returns how many are equal, and one line for each other.
fn compare(weights: &Weights, golden: &Value) -> (usize, Vec<(bool, String)>) {
    let records = golden["prompts"].as_array().expect("a list");
    let prompts: Vec<_> = records
        .iter()
        .map(|r| golden::tokens(&r["prompt_tokens"]))
        .collect();
    let replies = continuations(weights, &prompts);
    let differences = replies.iter().zip(records).filter_map(|(reply, record)| {
        let theirs = golden::tokens(&record["tokens"]);
        let gaps = golden::floats(&record["gaps"]);
        let at = (0..STEPS).find(|&i| reply[i].0 != theirs[i])?;
        let (our_gap, their_gap) = (reply[at].1, gaps[at]);
        let close = our_gap.min(their_gap) < CLOSE;
        let prompt = &record["prompt"];
        Some((
            close,
            format!("{prompt}: token {at}, gaps {our_gap} (ours), {their_gap} (theirs)"),
        ))
    });
    let differences: Vec<_> = differences.collect();
    (records.len() - differences.len(), differences)
}

/// The logits that golden files keep of each position of their prompt.
fn some_logits(golden: &Value) -> Vec<f32> {
    let positions = golden["positions"].as_array().expect("a list");
    positions
        .iter()
        .flat_map(|position| golden::floats(&position["logits"]))
        .collect()
}

/// Ours of the same positions and tokens.
fn our_logits(weights: &Weights, exact: &Value) -> Vec<f32> {
    let tokens = golden::tokens(&exact["logits_tokens"]);
    let kept = exact["positions"][0]["logits"]
        .as_array()
        .expect("a list")
        .len();
    let mut cache = KvCache::new(weights.config(), KvType::F16, 1, 1);
    let mut workspace = Workspace::new(weights.config(), tokens.len(), tokens.len());
    let mut batch = Batch::of_sequence(&tokens, 0, &[0]);
    batch.outputs = (0..tokens.len()).collect();
    let logits = weights.forward(&batch, &mut cache, &mut workspace, &mut NoProbe);
    let rows = logits
        .expect("readable")
        .chunks_exact(weights.config().vocab_size);
    rows.flat_map(|row| &row[..kept]).copied().collect()
}

#[test]
fn as_f32_the_texts_are_those_of_llama_cpp() {
    let Some(gguf) = open() else { return };
    let weights = Weights::load(&weights::to_f32(&gguf), &OPTIONS).unwrap();
    let exact = golden::json("llama/exact.json");
    let rms = distance::rms(&our_logits(&weights, &exact), &some_logits(&exact));
    let (equal, differences) = compare(&weights, &exact);
    println!("F32: {equal} of 10 texts equal, logits {rms:.5} rms apart, {differences:#?}");
    assert!(rms < 0.02, "logits are {rms} rms from llama.cpp's");
    assert!(
        differences.iter().all(|(close, _)| *close),
        "{differences:#?}"
    );
}

#[test]
fn in_int8_logits_are_as_near_as_llama_cpp_gets() {
    let Some(gguf) = open() else { return };
    let weights = Weights::load(&gguf, &OPTIONS).unwrap();
    let exact = golden::json("llama/exact.json");
    let ours = distance::rms(&our_logits(&weights, &exact), &some_logits(&exact));
    let theirs = some_logits(&golden::json("llama/logits.json"));
    let theirs = distance::rms(&theirs, &some_logits(&exact));
    let (equal, differences) = compare(&weights, &golden::json("llama/greedy.json"));
    println!("int8: {equal} of 10 texts equal, {differences:#?}");
    println!("int8: logits {ours:.5} rms from exact, llama.cpp {theirs:.5}");
    assert!(
        ours <= 1.25 * theirs,
        "{ours} rms from exact, llama.cpp {theirs}"
    );
}

#[test]
fn perplexity_is_that_of_llama_cpp() {
    let Some(path) = file() else { return };
    let model = Model::builder(path.to_str().unwrap())
        .threads(1)
        .load()
        .unwrap();
    let text = golden::text("text/wiki-excerpt.raw");
    let found = perplexity::run(&model, &text, 512, Some(8), |_, _| {}).unwrap();
    assert_eq!((found.chunks, found.tokens), (8, 8 * 255));
    let runs = golden::json("llama/perplexity.json");
    let runs = runs["runs"].as_array().unwrap().iter();
    let theirs: Vec<f64> = runs
        .map(|run| run["running"]["8"].as_f64().unwrap())
        .collect();
    println!(
        "perplexity {:.4}, llama.cpp's kernels {theirs:?}",
        found.ppl
    );
    let mean = theirs.iter().sum::<f64>() / theirs.len() as f64;
    assert!(
        (found.ppl / mean - 1.0).abs() < 0.005,
        "{} for {mean}",
        found.ppl
    );
}
