//! `ingle batch`: nothing is lost, nothing done twice, nothing ignored.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{folder, ingle, model, outcome};

fn input(home: &Path, lines: &[Value]) {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(home.join("in.jsonl"), text).expect("the folder is writable");
}

/// The results, by line.
fn results(home: &Path, name: &str) -> Vec<Value> {
    let text = fs::read_to_string(home.join(name)).unwrap_or_default();
    let parsed = text.lines().map(serde_json::from_str);
    let mut values: Vec<Value> = parsed.collect::<Result<_, _>>().expect("lines of JSON");
    values.sort_by_key(|value| value["line"].as_u64());
    values
}

fn story(n: usize) -> Value {
    json!({ "prompt": format!("{n} friends went"), "max_tokens": 40, "temperature": 0.8, "seed": n })
}

fn args(model: &str) -> Vec<&str> {
    vec!["batch", "in.jsonl", "out.jsonl", "-m", model, "-c", "128"]
}

#[test]
fn many_at_once_say_what_each_says_alone() {
    let home = folder("batch-many");
    let model = model();
    let lines: Vec<Value> = (0..12).map(story).collect();
    input(&home, &lines);
    let run = outcome(&mut ingle(&home, &args(&model)));
    assert_eq!(run.text(), "", "answers are in the file");
    let together = results(&home, "out.jsonl");
    assert_eq!(together.len(), 12);
    fs::remove_file(home.join("out.jsonl")).expect("it is there");
    let alone = [&args(&model)[..], &["--parallel", "1", "--no-speculation"]].concat();
    outcome(&mut ingle(&home, &alone)).text();
    let text = |values: &[Value]| -> Vec<Value> {
        let choice = |value: &Value| value["response"]["body"]["choices"].clone();
        values.iter().map(choice).collect()
    };
    assert_eq!(text(&together), text(&results(&home, "out.jsonl")));
    assert_eq!(together[4]["custom_id"], "line-5");
    assert_eq!(
        together[4]["response"]["body"]["usage"]["completion_tokens"],
        40
    );
}

#[test]
fn answers_have_the_form_that_is_asked_for() {
    let home = folder("batch-form");
    let model = model();
    let schema = json!({ "type": "object", "properties": { "a": { "type": "boolean" } }, "required": ["a"], "additionalProperties": false });
    let format = json!({ "type": "json_schema", "json_schema": { "name": "a", "schema": schema } });
    input(
        &home,
        &[
            json!({ "prompt": "x", "response_format": format }),
            json!({ "prompt": "x", "grammar": "root ::= \"to\" (\"day\" | \"night\")" }),
            json!({ "prompt": "x" }),
        ],
    );
    let run = [&args(&model)[..], &["--choice", "yes|no"]].concat();
    outcome(&mut ingle(&home, &run)).text();
    let found = results(&home, "out.jsonl");
    let text = |i: usize| found[i]["response"]["body"]["choices"][0]["text"].as_str();
    let object: Value = serde_json::from_str(text(0).unwrap_or_default()).expect("JSON");
    assert!(object["a"].is_boolean());
    assert!(matches!(text(1), Some("today" | "tonight")), "{found:?}");
    assert!(matches!(text(2), Some("yes" | "no")), "{found:?}");
}

#[test]
fn a_killed_run_goes_on() {
    let home = folder("batch-killed");
    let model = model();
    let lines: Vec<Value> = (0..200).map(story).collect();
    input(&home, &lines);
    let mut child = ingle(&home, &args(&model)).spawn().expect("it starts");
    let begun = Instant::now();
    while results_so_far(&home) < 5 {
        assert!(begun.elapsed() < Duration::from_secs(120), "it gets on");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    // As a kill in the middle of a line would leave it.
    let whole = fs::read_to_string(home.join("out.jsonl")).expect("it is there");
    let begun = whole.matches('\n').count();
    assert!(begun < 200, "it was stopped");
    fs::write(
        home.join("out.jsonl"),
        format!("{whole}{{\"line\": 7, \"resp"),
    )
    .expect("writable");
    let run = outcome(&mut ingle(&home, &args(&model)));
    assert!(
        run.stderr.contains("of 200 lines are done already"),
        "{}",
        run.stderr
    );
    let found = results(&home, "out.jsonl");
    let numbers: Vec<u64> = found
        .iter()
        .filter_map(|value| value["line"].as_u64())
        .collect();
    assert_eq!(numbers, (1..=200).collect::<Vec<u64>>(), "each once");
}

fn results_so_far(home: &Path) -> usize {
    let text = fs::read_to_string(home.join("out.jsonl")).unwrap_or_default();
    text.matches('\n').count()
}

#[test]
fn bad_lines_are_put_aside() {
    let home = folder("batch-bad");
    let model = model();
    let bad = [
        json!({ "prompt": "a", "temprature": 1 }),
        json!({ "prompt": "a", "top_p": 2 }),
        json!({ "prompt": "a ".repeat(500) }),
        json!({ "prompt": [99999] }),
        json!({ "messages": [{ "role": "user", "content": "no template" }] }),
        json!({ "prompt": "a", "n": 0 }),
        json!({ "prompt": "a", "logit_bias": { "99999": 1 } }),
        json!({ "prompt": "a", "regex": "(" }),
        json!({ "prompt": "a", "regex": "b", "choice": ["c"] }),
        json!({ "prompt": "a", "response_format": { "type": "xml" } }),
    ];
    let mut lines = bad.to_vec();
    lines.insert(3, story(1));
    input(&home, &lines);
    let run = outcome(&mut ingle(&home, &args(&model)));
    assert_eq!(run.code, Some(1));
    assert!(
        run.stderr.contains("10 lines could not be carried out"),
        "{}",
        run.stderr
    );
    assert_eq!(results(&home, "out.jsonl").len(), 1);
    let rejected = results(&home, "out.jsonl.rejected");
    let expected = [
        "`temprature`",
        "`top_p`",
        "the context has room for 128",
        "`prompt`: token 99999",
        "no chat template",
        "`n` = 0",
        "`logit_bias`: token 99999",
        "regex",
        "expected one of them",
        "`response_format`: expected",
    ];
    assert_eq!(rejected.len(), expected.len());
    for (value, expected) in rejected.iter().zip(expected) {
        let error = value["error"].as_str().unwrap_or_default();
        assert!(error.contains(expected), "{error} says {expected}");
        assert!(value["input"].is_string());
    }
    // An output that is somebody else's is left alone.
    fs::write(home.join("out.jsonl"), "hello\n").expect("writable");
    let message = outcome(&mut ingle(&home, &args(&model))).failure(1);
    assert!(
        message.contains("expected results of an earlier run"),
        "{message}"
    );
    assert_eq!(
        fs::read_to_string(home.join("out.jsonl")).expect("there"),
        "hello\n"
    );
}

/// Shows tools and calls, so that it is known how a reply calls.
const TEMPLATE: &str = "{% for tool in tools or [] %}{{ tool | tojson }}\n{% endfor %}{% for message in messages %}\
    {{ message.content }}{% for call in message.tool_calls %}<tool_call>{{ call.function | tojson }}</tool_call>\
    {% endfor %}\n{% endfor %}";

fn weather() -> Value {
    let place = json!({ "type": "string", "enum": ["Rome", "Oslo"] });
    json!({ "type": "function", "function": {
        "name": "weather",
        "description": "The weather of a place",
        "parameters": { "type": "object", "properties": { "place": place }, "required": ["place"], "additionalProperties": false },
    }})
}

#[test]
fn tools_are_called_and_what_is_wrong_with_them_is_said() {
    let home = folder("batch-tools");
    let model = model();
    fs::write(home.join("template.jinja"), TEMPLATE).expect("writable");
    let call = json!({ "id": "call_1", "type": "function", "function": { "name": "weather", "arguments": "{\"place\": \"Oslo\"}" } });
    let turns = json!([
        { "role": "user", "content": "Hot?" },
        { "role": "assistant", "content": null, "tool_calls": [call] },
        { "role": "tool", "tool_call_id": "call_1", "content": "no" },
        { "role": "user", "content": "And in Rome?" },
    ]);
    let asked = json!([{ "role": "user", "content": "Hot?" }]);
    let named = json!({ "type": "function", "function": { "name": "weather" } });
    let tools = json!([weather()]);
    input(
        &home,
        &[
            json!({ "messages": asked, "tools": tools, "tool_choice": "required", "n": 2, "parallel_tool_calls": false }),
            json!({ "messages": turns, "tools": tools, "tool_choice": named, "parallel_tool_calls": false }),
            json!({ "messages": asked, "tools": tools, "tool_choice": "none", "max_tokens": 5 }),
            json!({ "messages": asked, "tools": [{ "name": "weather" }] }),
            json!({ "messages": asked, "tool_choice": "auto" }),
            json!({ "messages": [{ "role": "user" }], "tools": tools }),
            json!({ "prompt": "x", "tools": tools }),
            json!({ "messages": asked, "tools": tools, "tool_choice": "required", "regex": "a" }),
        ],
    );
    let mut run = args(&model);
    run.truncate(run.len() - 2);
    run.extend(["-c", "400", "--chat-template-file", "template.jinja"]);
    let outcome = outcome(&mut ingle(&home, &run));
    assert_ne!(outcome.code, Some(0), "some lines cannot be carried out");
    let found = results(&home, "out.jsonl");
    assert_eq!(found.len(), 3, "{found:?}");
    let choices = |i: usize| &found[i]["response"]["body"]["choices"];
    for choice in choices(0)
        .as_array()
        .into_iter()
        .flatten()
        .chain([&choices(1)[0]])
    {
        assert_eq!(choice["finish_reason"], "tool_calls", "{choice}");
        assert_eq!(choice["message"]["content"], Value::Null);
        let call = &choice["message"]["tool_calls"][0];
        assert_eq!(call["function"]["name"], "weather");
        let arguments = call["function"]["arguments"].as_str().expect("a text");
        let arguments: Value = serde_json::from_str(arguments).expect("of JSON");
        assert!(
            arguments["place"] == "Rome" || arguments["place"] == "Oslo",
            "{arguments}"
        );
    }
    assert_eq!(choices(0).as_array().map(Vec::len), Some(2));
    assert!(choices(2)[0]["message"]["tool_calls"].is_null());
    let rejected = results(&home, "out.jsonl.rejected");
    let places = [
        "`tools[0]`",
        "`tools`",
        "`messages[0]`",
        "`messages`",
        "grammar",
    ];
    assert_eq!(rejected.len(), places.len());
    for (line, place) in rejected.iter().zip(places) {
        let error = line["error"].as_str().unwrap_or_default();
        assert!(error.contains(place), "{error} names {place}");
    }
}

#[test]
fn an_input_that_was_edited_is_noticed() {
    let home = folder("batch-edited");
    let model = model();
    let mut lines: Vec<Value> = (0..3).map(story).collect();
    input(&home, &lines);
    outcome(&mut ingle(&home, &args(&model))).text();
    // More lines are no harm, others are.
    lines.push(story(3));
    input(&home, &lines);
    outcome(&mut ingle(&home, &args(&model))).text();
    assert_eq!(results(&home, "out.jsonl").len(), 4);
    lines[1] = story(17);
    input(&home, &lines);
    let run = outcome(&mut ingle(&home, &args(&model)));
    assert_ne!(run.code, Some(0));
    let said = ["line 2 of the input has changed", "hint:"];
    assert!(
        said.iter().all(|part| run.stderr.contains(part)),
        "{}",
        run.stderr
    );
    assert_eq!(results(&home, "out.jsonl").len(), 4, "nothing is touched");
}
