//! `ingle template`, against Jinja's own output.

use serde_json::{Value, json};

use crate::support::{folder, golden, ingle, model, outcome, piped};

#[test]
fn texts_and_refusals_are_jinjas() {
    let home = folder("template_cases");
    let text = std::fs::read_to_string(golden("templates/expected.json")).expect("it is there");
    let cases: Value = serde_json::from_str(&text).expect("it is JSON");
    let mut refused = 0;
    for name in [
        "Qwen3-Coder.jinja",
        "google-gemma-2-2b-it.jinja",
        "meta-llama-Llama-3.1-8B-Instruct.jinja",
    ] {
        for (conversation, expected) in cases["expected"][name].as_object().expect("an object") {
            let mut input = cases["conversations"][conversation].clone();
            for (key, value) in [
                ("bos_token", "<s>"),
                ("eos_token", "</s>"),
                ("now", "2026-01-02 03:04:05"),
            ] {
                input[key] = json!(value);
            }
            std::fs::write(home.join("m.json"), input.to_string()).expect("writable");
            let file = golden(&format!("templates/{name}")).display().to_string();
            let found = outcome(&mut ingle(
                &home,
                &["template", "--file", &file, "--messages", "m.json"],
            ));
            match expected["text"].as_str() {
                Some(text) => assert_eq!(found.text(), text, "{name}, {conversation}"),
                None => {
                    let message = expected["error"].as_str().expect("text or error");
                    assert!(found.failure(1).contains(message), "{name}, {conversation}");
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > 0, "refusals are among the cases");
}

#[test]
fn further_variables_reach_the_template() {
    let home = folder("template_variables");
    let template = "{{ mood }}|{{ bos_token }}|{{ messages[0].content }}|{{ strftime_now('%Y') }}";
    std::fs::write(home.join("t.jinja"), template).expect("writable");
    let input = json!({"messages": [{"role": "user", "content": "Hi"}], "mood": "fine", "now": "2031-05-06"});
    let args = ["template", "--file", "t.jinja", "--messages", "-"];
    let text = piped(&mut ingle(&home, &args), input.to_string().as_bytes()).text();
    assert_eq!(text, "fine||Hi|2031");
}

#[test]
fn wrong_input_is_named() {
    let home = folder("template_wrong");
    std::fs::write(home.join("t.jinja"), "{{ messages }}").expect("writable");
    std::fs::write(home.join("broken.jinja"), "{% if %}").expect("writable");
    let args = |template| ["template", "--file", template, "--messages", "-"];
    for input in [
        "{",
        "{}",
        "3",
        r#"{"messages": [], "now": "soon"}"#,
        r#"{"messages": [], "bos_token": 1}"#,
    ] {
        let message = piped(&mut ingle(&home, &args("t.jinja")), input.as_bytes()).failure(1);
        assert!(message.contains("`-`"), "{message}");
    }
    let message = piped(
        &mut ingle(&home, &args("broken.jinja")),
        b"{\"messages\": []}",
    )
    .failure(1);
    assert!(message.contains("line 1"), "{message}");
    std::fs::write(home.join("m.json"), r#"{"messages": []}"#).expect("writable");
    let message = outcome(&mut ingle(
        &home,
        &["template", &model(), "--messages", "m.json"],
    ))
    .failure(1);
    assert!(
        message.contains("no chat template") && message.contains("\nhint: "),
        "{message}"
    );
}
