//! Chat templates against Jinja2 itself: `golden/templates/expected.json`, written by
//! `golden/templates/render_templates.py`.

use serde_json::Value;
use tokenizer::template::CivilTime;
use tokenizer::{ChatTemplate, TemplateInput};

fn golden(name: &str) -> String {
    let path = format!(
        "{}/../../golden/templates/{name}",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn input(conversation: &Value) -> TemplateInput {
    TemplateInput {
        messages: conversation["messages"].clone(),
        tools: conversation.get("tools").cloned(),
        add_generation_prompt: conversation["add_generation_prompt"] == true,
        bos_token: "<s>".into(),
        eos_token: "</s>".into(),
        now: "2026-01-02T03:04:05".parse::<CivilTime>().ok(),
        ..Default::default()
    }
}

#[test]
fn every_rendering_and_refusal_equals_jinjas() {
    let golden_file: Value = serde_json::from_str(&golden("expected.json")).unwrap();
    let mut wrong = Vec::new();
    for (name, rows) in golden_file["expected"].as_object().unwrap() {
        let template = ChatTemplate::new(&golden(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        for (conversation, row) in rows.as_object().unwrap() {
            let result = template.render(&input(&golden_file["conversations"][conversation]));
            let same = match (&result, row.get("text"), row.get("error")) {
                (Ok(text), Some(expected), _) => text == expected.as_str().unwrap(),
                (Err(error), _, Some(expected)) => {
                    error.to_string().ends_with(expected.as_str().unwrap())
                }
                _ => false,
            };
            if !same {
                wrong.push(format!(
                    "{name} {conversation}: expected {row}\n  found {result:?}"
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} differ\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn odd_conversations_equal_jinjas() {
    let read = |name: &str| -> Value { serde_json::from_str(&golden(name)).unwrap() };
    let (conversations, expected) = (read("more_conversations.json"), read("more_expected.json"));
    let mut wrong = Vec::new();
    for (name, rows) in expected.as_object().unwrap() {
        let template = ChatTemplate::new(&golden(name)).unwrap();
        for (conversation, row) in rows.as_object().unwrap() {
            let given = &conversations[conversation];
            let mut input = input(given);
            input.extra = given.as_object().unwrap().clone();
            let result = template.render(&input);
            // Wording of errors is compared elsewhere.
            let same = match (&result, row.get("text")) {
                (Ok(text), Some(expected)) => text == expected.as_str().unwrap(),
                (result, expected) => result.is_err() && expected.is_none(),
            };
            if !same {
                wrong.push(format!(
                    "{name} {conversation}: expected {row}\n  found {result:?}"
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} differ\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Errors whose text is the engine's own; only that they are errors is compared.
const OWN_WORDS: [&str; 7] = [
    "{{ missing.attr }}",
    "{{ none.attr is defined }}",
    "{{ n() }}",
    "{{ nofunction(1) }}",
    "{{ l | no",
    "{{ l is no",
    "{% ",
];

#[test]
fn small_templates_equal_jinjas() {
    let file: Value = serde_json::from_str(&golden("snippets.json")).unwrap();
    let mut input = input(&serde_json::json!({"messages": []}));
    input.extra = file["variables"].as_object().unwrap().clone();
    let mut wrong = Vec::new();
    for row in file["snippets"].as_array().unwrap() {
        let source = row["template"].as_str().unwrap();
        let result = ChatTemplate::new(source).and_then(|template| template.render(&input));
        let same = match (&result, row.get("text"), row.get("error")) {
            (Ok(text), Some(expected), _) => text == expected.as_str().unwrap(),
            (Err(error), _, Some(expected)) => {
                let own = OWN_WORDS.iter().any(|start| source.starts_with(start));
                own || error.to_string().ends_with(expected.as_str().unwrap())
            }
            _ => false,
        };
        if !same {
            wrong.push(format!("{source}\n  expected {row}\n  found {result:?}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} differ\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
