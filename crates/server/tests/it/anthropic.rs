//! Anthropic's dialect.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::{Fixture, door, options};

const PATH: &str = "/v1/messages";

/// A template that thinks, when it is told to, and has the first tokens of a story say so.
const THINKING: &str = "\
{%- for message in messages %}{{ message.role }}:{% if message.reasoning_content %}<think>{{ message.reasoning_content }}</think>{% endif %} {{ message.content }}\n{% endfor -%}
{%- if add_generation_prompt %}assistant: {% if enable_thinking %}<think>{% endif %}{% endif -%}";

fn ask(fields: Value) -> Value {
    let mut body = json!({
        "model": "any",
        "max_tokens": 20,
        "temperature": 0,
        "messages": [{ "role": "user", "content": "Tell a story" }],
    });
    for (name, value) in fields.as_object().expect("an object") {
        body[name] = value.clone();
    }
    body
}

/// The message that the events of a stream add up to, by the rules of Anthropic's clients.
fn summed(events: &[(String, String)]) -> Value {
    let (mut message, mut json_text) = (Value::Null, String::new());
    for (name, data) in events {
        let event: Value = serde_json::from_str(data).expect("JSON");
        assert_eq!(event["type"], name.as_str(), "an event has its type's name");
        let at = event["index"].as_u64().unwrap_or(0) as usize;
        match name.as_str() {
            "message_start" => message = event["message"].clone(),
            "content_block_start" => {
                let content = message["content"].as_array_mut().expect("a list");
                assert_eq!(content.len(), at, "blocks are numbered");
                content.push(event["content_block"].clone());
                json_text.clear();
            }
            "content_block_delta" => {
                let delta = &event["delta"];
                let block = &mut message["content"][at];
                let (field, more) = match delta["type"].as_str().expect("a type") {
                    "text_delta" => ("text", &delta["text"]),
                    "thinking_delta" => ("thinking", &delta["thinking"]),
                    "signature_delta" => ("signature", &delta["signature"]),
                    "input_json_delta" => {
                        json_text += delta["partial_json"].as_str().expect("text");
                        continue;
                    }
                    other => panic!("`{other}`"),
                };
                let text = block[field].as_str().expect("of this kind").to_owned();
                block[field] = json!(text + more.as_str().expect("text"));
            }
            "content_block_stop" => {
                if !json_text.is_empty() {
                    message["content"][at]["input"] =
                        serde_json::from_str(&json_text).expect("JSON");
                }
            }
            "message_delta" => {
                message["stop_reason"] = event["delta"]["stop_reason"].clone();
                message["stop_sequence"] = event["delta"]["stop_sequence"].clone();
                message["usage"] = event["usage"].clone();
            }
            "message_stop" | "ping" => {}
            other => panic!("`{other}`"),
        }
    }
    assert_eq!(
        events.last().map(|(name, _)| name.as_str()),
        Some("message_stop")
    );
    message
}

/// Asks for the whole and for the stream, which must be the same but for ids and what is cached by then.
fn both(server: &Fixture, mut body: Value) -> Value {
    let whole = server.post(PATH, &body).ok();
    body["stream"] = json!(true);
    let stream = summed(&server.events(PATH, &body));
    for field in ["type", "role", "model", "stop_reason", "stop_sequence"] {
        assert_eq!(whole[field], stream[field], "{field}");
    }
    let (whole_blocks, blocks) = (&whole["content"], &stream["content"]);
    assert_eq!(
        whole_blocks.as_array().map(Vec::len),
        blocks.as_array().map(Vec::len)
    );
    for (a, b) in whole_blocks
        .as_array()
        .into_iter()
        .flatten()
        .zip(blocks.as_array().into_iter().flatten())
    {
        for field in ["type", "text", "thinking", "name", "input"] {
            assert_eq!(a[field], b[field], "{field}");
        }
    }
    let input = |message: &Value| {
        let usage = &message["usage"];
        usage["input_tokens"].as_u64().expect("a number")
            + usage["cache_read_input_tokens"].as_u64().expect("a number")
    };
    assert_eq!(input(&whole), input(&stream));
    assert_eq!(
        whole["usage"]["output_tokens"],
        stream["usage"]["output_tokens"]
    );
    whole
}

#[test]
fn a_stream_adds_up_to_the_whole() {
    let server = Fixture::new();
    let whole = both(&server, ask(json!({})));
    assert_eq!(whole["type"], "message");
    assert_eq!(whole["stop_reason"], "max_tokens");
    assert_eq!(whole["usage"]["output_tokens"], 20);
    let text = whole["content"][0]["text"].as_str().expect("text");
    assert!(text.len() > 20, "{text}");
    // The text ends before a word of its own.
    let word = text.split_whitespace().nth(4).expect("words");
    let stopped = both(
        &server,
        ask(json!({ "stop_sequences": ["no such text", word] })),
    );
    assert_eq!(stopped["stop_reason"], "stop_sequence");
    assert_eq!(stopped["stop_sequence"], word);
    let before = text.split_once(word).expect("it is there").0;
    assert_eq!(
        stopped["content"][0]["text"]
            .as_str()
            .unwrap_or_default()
            .trim(),
        before.trim()
    );
    // And the context ends before a limit beyond it.
    let full = both(
        &server,
        ask(json!({ "max_tokens": 100_000, "ignore_eos": true })),
    );
    assert_eq!(full["stop_reason"], "model_context_window_exceeded");
}

#[test]
fn the_last_turn_is_gone_on_with() {
    let server = Fixture::new();
    let whole = server.post(PATH, &ask(json!({}))).ok();
    let text = whole["content"][0]["text"]
        .as_str()
        .expect("text")
        .trim()
        .to_owned();
    let (begun, rest) = text.split_at(text.char_indices().nth(12).expect("is longer").0);
    let (begun, rest) = match begun.rsplit_once(' ') {
        Some((front, back)) => (front.to_owned(), format!(" {back}{rest}")),
        None => (begun.to_owned(), rest.to_owned()),
    };
    let turns = json!([
        { "role": "user", "content": "Tell a story" },
        { "role": "assistant", "content": [{ "type": "text", "text": begun }] },
    ]);
    let more = server
        .post(PATH, &ask(json!({ "messages": turns, "max_tokens": 8 })))
        .ok();
    let more = more["content"][0]["text"].as_str().expect("text");
    assert!(
        rest.starts_with(more.trim_end()),
        "`{begun}` + `{more}`, not `{rest}`"
    );
}

#[test]
fn tools_are_called_and_answered() {
    let server = Fixture::new();
    let tool = json!({ "name": "door", "description": "Opens", "input_schema": door(), "cache_control": { "type": "ephemeral" } });
    let fields = json!({
        "tools": [tool],
        "tool_choice": { "type": "any", "disable_parallel_tool_use": true },
        "max_tokens": 200,
    });
    let whole = both(&server, ask(fields));
    assert_eq!(whole["stop_reason"], "tool_use");
    let call = &whole["content"][0];
    assert_eq!(
        (&call["type"], &call["name"]),
        (&json!("tool_use"), &json!("door"))
    );
    assert!(call["input"]["open"].is_boolean(), "{call}");
    let named = ask(
        json!({ "tools": [tool], "tool_choice": { "type": "tool", "name": "door" }, "max_tokens": 200 }),
    );
    assert_eq!(server.post(PATH, &named).ok()["content"][0]["name"], "door");
    // The conversation goes on with the tool's answer, text beside it.
    let answer = json!([
        { "type": "tool_result", "tool_use_id": call["id"], "content": [{ "type": "text", "text": "jammed" }], "is_error": true },
        { "type": "text", "text": "Well?" },
    ]);
    let turns = json!([
        { "role": "user", "content": "Open" },
        { "role": "assistant", "content": whole["content"] },
        { "role": "user", "content": answer },
    ]);
    let body =
        ask(json!({ "messages": turns, "tools": [tool], "tool_choice": { "type": "none" } }));
    let answered = server.post(PATH, &body).ok();
    assert_eq!(answered["content"][0]["type"], "text");
}

#[test]
fn thoughts_are_blocks_of_their_own() {
    let mut thinking = options();
    thinking.configure = Arc::new(|builder| builder.chat_template(THINKING).threads(1));
    let server = Fixture::start(thinking);
    let asked = |thinking: Value| ask(json!({ "thinking": thinking }));
    // Its thoughts have no end.
    let whole = both(
        &server,
        asked(json!({ "type": "enabled", "budget_tokens": 1024 })),
    );
    assert_eq!(whole["content"][0]["type"], "thinking");
    assert!(
        whole["content"][0]["thinking"]
            .as_str()
            .is_some_and(|text| text.len() > 20)
    );
    let hidden = both(
        &server,
        asked(json!({ "type": "enabled", "display": "omitted" })),
    );
    assert_eq!(hidden["content"][0]["thinking"], "");
    let none = both(&server, asked(json!({ "type": "disabled" })));
    assert_eq!(none["content"][0]["type"], "text");
    let brief = both(
        &server,
        asked(json!({ "type": "enabled", "budget_tokens": 5 })),
    );
    assert_eq!(brief["content"][1]["type"], "text");
    // They are given back with the turn that they belong to.
    let count = |blocks: Value| {
        let turns = json!([
            { "role": "user", "content": "a" },
            { "role": "assistant", "content": blocks },
            { "role": "user", "content": "b" },
        ]);
        let body = json!({ "messages": turns });
        server.post("/v1/messages/count_tokens", &body).ok()["input_tokens"].as_u64()
    };
    let text = json!({ "type": "text", "text": "well" });
    let thoughts = json!({ "type": "thinking", "thinking": "so and so", "signature": "" });
    assert!(count(json!([thoughts, text])) > count(json!([text])));
}

#[test]
fn tokens_are_counted_as_they_are_used() {
    let server = Fixture::new();
    let fields = json!({
        "system": [
            { "type": "text", "text": "x-anthropic-billing-header: cc_version=1; cch=1f;" },
            { "type": "text", "text": "Be brief", "cache_control": { "type": "ephemeral" } },
        ],
        "metadata": { "user_id": "me" },
    });
    let answer = server.post(PATH, &ask(fields.clone()));
    assert_eq!(answer.header("x-ingle-ignored"), None);
    let usage = answer.ok()["usage"].clone();
    let used = usage["input_tokens"].as_u64().expect("a number")
        + usage["cache_read_input_tokens"].as_u64().expect("a number");
    let count = |body: Value| {
        server.post("/v1/messages/count_tokens", &body).ok()["input_tokens"]
            .as_u64()
            .expect("a number")
    };
    assert_eq!(count(ask(fields)), used);
    // What is for the seller is not for the model.
    assert_eq!(count(ask(json!({ "system": "Be brief" }))), used);
    let text = "x-anthropic-billing-header: cch=2e;\nBe brief";
    assert_eq!(count(ask(json!({ "system": text }))), used);
}

#[test]
fn a_reply_keeps_to_its_schema() {
    let server = Fixture::new();
    let schema = json!({ "type": "object", "properties": { "n": { "enum": [1, 2] } }, "required": ["n"], "additionalProperties": false });
    let format = json!({ "type": "json_schema", "schema": schema });
    let whole = both(
        &server,
        ask(json!({ "output_config": { "format": format }, "max_tokens": 100 })),
    );
    assert_eq!(whole["stop_reason"], "end_turn");
    let text = whole["content"][0]["text"].as_str().expect("text");
    let value: Value = serde_json::from_str(text).expect("JSON");
    assert!(value["n"] == 1 || value["n"] == 2, "{value}");
}

#[test]
fn what_is_wrong_is_named() {
    let server = Fixture::new();
    let turn = |block: Value| json!([{ "role": "user", "content": [block] }]);
    let wrong = [
        (json!({ "max_tokens": null }), "`max_tokens`"),
        (json!({ "max_tokens": 0 }), "`max_tokens`"),
        (json!({ "max_tokens": "many" }), "`max_tokens`"),
        (json!({ "temperature": "hot" }), "`temperature`"),
        (json!({ "top_p": 2 }), "`top_p`"),
        (json!({ "messages": [] }), "`messages`"),
        (
            json!({ "messages": [{ "role": "robot", "content": "x" }] }),
            "`messages[0].role`",
        ),
        (
            json!({ "messages": [{ "role": "user", "content": 7 }] }),
            "`messages[0].content`",
        ),
        (
            json!({ "messages": turn(json!({ "type": "text", "text": 7 })) }),
            "`messages[0].content[0].text`",
        ),
        (
            json!({ "messages": turn(json!({ "type": "text" })) }),
            "`messages[0].content[0].text`",
        ),
        (
            json!({ "messages": turn(json!({ "type": "image", "source": { "type": "base64" } })) }),
            "`messages[0].content[0]`",
        ),
        (
            json!({ "messages": turn(json!({ "type": "document" })) }),
            "`document`",
        ),
        (
            json!({ "messages": turn(json!({ "type": "tool_result", "content": "x" })) }),
            "`messages[0].content[0].tool_use_id`",
        ),
        (
            json!({ "messages": turn(json!({ "type": "tool_result", "tool_use_id": "a", "content": [{ "type": "image" }] })) }),
            "`messages[0].content[0].content[0]`",
        ),
        (json!({ "system": [{ "type": "image" }] }), "`system[0]`"),
        (json!({ "stop_sequences": [""] }), "`stop_sequences`"),
        (
            json!({ "tools": [{ "type": "web_search_20250305", "name": "web_search" }] }),
            "`tools[0].type`",
        ),
        (
            json!({ "tools": [{ "name": "a" }] }),
            "`tools[0].input_schema`",
        ),
        (json!({ "tool_choice": { "type": "any" } }), "`tool_choice`"),
        (
            json!({ "tool_choice": { "type": "often" } }),
            "`tool_choice.type`",
        ),
        (json!({ "thinking": { "type": "deep" } }), "`thinking.type`"),
        (json!({ "container": "x" }), "`container`"),
        (
            json!({ "output_config": { "format": { "type": "xml", "schema": {} } } }),
            "`output_config.format.type`",
        ),
    ];
    for (fields, name) in wrong {
        let answer = server.post(PATH, &ask(fields.clone()));
        assert_eq!(answer.status, 400, "{fields}: {}", answer.text);
        let body = answer.json();
        assert_eq!(body["type"], "error");
        assert_eq!(body["error"]["type"], "invalid_request_error", "{fields}");
        let message = body["error"]["message"].as_str().expect("text");
        assert!(message.contains(name), "{fields}: {message}");
        assert_eq!(body["request_id"].as_str(), answer.header("request-id"));
    }
    let long = json!([{ "role": "user", "content": "word ".repeat(600) }]);
    let long = server.post(PATH, &ask(json!({ "messages": long })));
    let message = long.json()["error"]["message"]
        .as_str()
        .expect("text")
        .to_owned();
    assert!(message.starts_with("prompt is too long: "), "{message}");
    assert!(message.ends_with(" tokens > 512 maximum"), "{message}");
    assert_eq!(server.post_text(PATH, "{").status, 400);
    assert_eq!(
        server.post("/v1/messages/batches", &json!({})).json()["error"]["type"],
        "not_found_error"
    );
}

#[test]
fn tools_need_a_template_that_has_them() {
    let mut plain = options();
    plain.configure = Arc::new(|builder| builder.chat_template(THINKING).threads(1));
    let server = Fixture::start(plain);
    let tool = json!({ "name": "door", "input_schema": { "type": "object", "properties": {} } });
    let answer = server.post(PATH, &ask(json!({ "tools": [tool] })));
    assert_eq!(answer.status, 400, "{}", answer.text);
}

#[test]
fn a_full_queue_refuses_until_clients_go() {
    let mut small = options();
    (small.parallel, small.max_queue) = (1, 1);
    let server = Fixture::start(small);
    let body = ask(json!({ "stream": true, "ignore_eos": true, "max_tokens": 500 }));
    let request = crate::support::agent().post(server.url(PATH));
    let first = request.send(body.to_string()).expect("it begins");
    let request = crate::support::agent().post(server.url(PATH));
    let second = request.send(body.to_string()).expect("it waits");
    let refused = server.post(PATH, &ask(json!({})));
    assert_eq!(refused.status, 429);
    assert_eq!(refused.json()["error"]["type"], "rate_limit_error");
    // Clients that go make room.
    drop((first, second));
    let begun = std::time::Instant::now();
    while server.post(PATH, &ask(json!({ "max_tokens": 1 }))).status != 200 {
        assert!(
            begun.elapsed().as_secs() < 10,
            "the places do not come back"
        );
    }
}
