//! Messages and tools, rendered by the models' templates from our types.

use ingle::dialogue::{Tool, ToolCall};
use ingle::{ChatTemplate, Message, TemplateInput};
use serde_json::{Value, json};

use crate::support::{format, parse, template};

fn weather() -> Tool {
    let parameters = json!({"type": "object", "properties": {"city": {"type": "string", "description": "The city"},
        "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}}, "required": ["city"]});
    Tool::new("get_weather", "Current weather of a city", parameters)
}

fn round() -> Vec<Message> {
    let call = ToolCall {
        id: "call00001".into(),
        name: "get_weather".into(),
        arguments: json!({"city": "Oslo"}),
    };
    vec![
        Message::user("Weather in Oslo?"),
        Message::calls("", vec![call.clone()]),
        Message::tool(&call, "{\"temp\": 3}"),
    ]
}

#[test]
fn our_types_are_what_hugging_face_passes() {
    let golden = testkit::golden::json("templates/expected.json");
    let conversation = &golden["conversations"]["tool_round"];
    let ours = serde_json::to_value(round()).expect("JSON");
    assert_eq!(ours[1], conversation["messages"][1]);
    assert_eq!(ours[2], conversation["messages"][2]);
    assert_eq!(json!([weather().to_template()]), conversation["tools"]);
    let read: Vec<Message> =
        serde_json::from_value(conversation["messages"].clone()).expect("our messages");
    assert_eq!(read, round());
    // OpenAI's clients send arguments as text.
    let text = json!({"role": "assistant", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"x\": 1}"}}]});
    let read: Message = serde_json::from_value(text).expect("a message");
    assert_eq!(read.tool_calls[0].arguments, json!({"x": 1}));
    let broken = json!({"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{x"}}]});
    let error = serde_json::from_value::<Message>(broken)
        .expect_err("no JSON")
        .to_string();
    assert!(error.contains("`arguments` of `f`"), "{error}");
}

#[test]
fn a_call_in_a_prompt_is_read_as_that_call() {
    let golden = testkit::golden::json("templates/expected.json");
    let mut num_read = 0;
    for (file, rows) in golden["expected"].as_object().expect("rows") {
        let Some(name) = file.strip_suffix(".jinja") else {
            continue;
        };
        let render = |messages: &[Message]| {
            ChatTemplate::new(&template(name))
                .expect("a template")
                .render(&TemplateInput {
                    messages: serde_json::to_value(messages).expect("JSON"),
                    tools: Some(json!([weather().to_template()])),
                    add_generation_prompt: true,
                    bos_token: "<s>".into(),
                    eos_token: "</s>".into(),
                    now: "2026-01-02T03:04:05".parse().ok(),
                    ..TemplateInput::default()
                })
        };
        let (Ok(prompt), Ok(text)) = (render(&round()[..1]), render(&round())) else {
            assert!(rows["tool_round"].get("error").is_some(), "{name}");
            continue;
        };
        assert_eq!(
            Value::from(text.as_str()),
            rows["tool_round"]["text"],
            "{name}"
        );
        // What the template writes after the same prompt is what the model would have written.
        let Some(reply) = text.strip_prefix(&prompt) else {
            continue;
        };
        if reply.is_empty() || format(name).calls.is_none() || !reply.contains("Oslo") {
            continue;
        }
        let whole = parse(&format(name), &prompt, reply, &[]);
        assert_eq!(
            whole.calls().first(),
            Some(&("get_weather", json!({"city": "Oslo"}))),
            "{name}: {reply}"
        );
        num_read += 1;
    }
    assert!(num_read >= 9, "{num_read}");
}
