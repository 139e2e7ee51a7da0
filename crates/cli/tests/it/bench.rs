//! `ingle bench` and `ingle perplexity`.

use serde_json::Value;

use crate::support::{folder, golden, ingle, model, outcome};

#[test]
fn every_combination_is_a_line_of_json() {
    let home = folder("bench");
    let model = model();
    let args = [
        "bench", &model, "-p", "8,16", "-n", "4", "-t", "1,2", "-r", "2", "--json",
    ];
    let text = outcome(&mut ingle(&home, &args)).text();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let tests: Vec<_> = lines
        .iter()
        .map(|line| (line["threads"].as_u64(), line["test"].as_str()))
        .collect();
    let expected =
        [1, 2].map(|threads| ["pp8", "pp16", "tg4"].map(|test| (Some(threads), Some(test))));
    assert_eq!(tests, expected.concat());
    for line in lines {
        assert!(
            line["avg_ts"].as_f64().is_some_and(|speed| speed > 0.0),
            "{line}"
        );
        assert!(
            line["stddev_ts"].is_number() && line["size"].is_number() && line["model"].is_string()
        );
    }
}

#[test]
fn people_get_a_table() {
    let home = folder("bench_table");
    let text = outcome(&mut ingle(
        &home,
        &["bench", &model(), "-p", "8", "-n", "0", "-r", "1"],
    ))
    .text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(
        lines[0].starts_with("model") && lines[2].contains("pp8"),
        "{text}"
    );
}

#[test]
fn steps_depth_and_limits() {
    let home = folder("bench_limits");
    let model = model();
    let args = [
        "bench", &model, "-p", "8", "-n", "4", "--batch", "1,4", "-d", "40", "-r", "1", "--json",
        "--limits",
    ];
    let text = outcome(&mut ingle(&home, &args)).text();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let tests: Vec<_> = lines.iter().map(|line| line["test"].as_str()).collect();
    let expected = ["pp8 @ d40", "tg4 @ d40", "step1 @ d40", "step4 @ d40"];
    assert_eq!(tests, expected.map(Some));
    for line in lines {
        let positive = |value: &Value| value.as_f64().is_some_and(|x| x > 0.0);
        assert!(positive(&line["limit_share"]), "{line}");
        for limit in ["int8_ops_per_s", "read_bytes_per_s", "read_bytes_per_s_1"] {
            assert!(positive(&line["limits"][limit]), "{limit}: {line}");
        }
        let is_step = line["test"]
            .as_str()
            .is_some_and(|test| test.starts_with("step"));
        assert_eq!(positive(&line["step_cost"]), is_step, "{line}");
    }
}

#[test]
fn the_machine_needs_no_model() {
    let home = folder("bench_machine");
    let found = outcome(&mut ingle(
        &home,
        &["bench", "--limits", "-t", "1", "--json"],
    ))
    .json();
    assert_eq!(found["threads"].as_u64(), Some(1));
    assert!(
        found["limits"]["read_bytes_per_s"].as_f64() > Some(1e6),
        "{found}"
    );
    outcome(&mut ingle(&home, &["bench"])).failure(2);
}

#[test]
fn perplexity_is_a_number_that_makes_sense() {
    let home = folder("perplexity");
    let story = golden("models/stories260K.txt").display().to_string();
    let args = [
        "perplexity",
        &model(),
        "-f",
        &story,
        "-c",
        "64",
        "--chunks",
        "2",
        "--json",
    ];
    let found = outcome(&mut ingle(&home, &args)).json();
    assert_eq!(
        (found["chunks"].as_u64(), found["ctx"].as_u64()),
        (Some(2), Some(64))
    );
    // The model's own greedy text surprises it little.
    assert!(
        found["ppl"]
            .as_f64()
            .is_some_and(|ppl| (1.0..4.0).contains(&ppl)),
        "{found}"
    );
    let message = outcome(&mut ingle(
        &home,
        &["perplexity", &model(), "-f", "absent.txt"],
    ))
    .failure(1);
    assert!(message.contains("`absent.txt`"), "{message}");
}
