//! OpenAI's dialect.

use serde_json::{Value, json};

use crate::support::{Fixture, door, options};

const GREEDY: f64 = 0.0;

#[test]
fn a_completion_is_the_library_s_text() {
    let server = Fixture::new();
    let body = json!({ "prompt": "One day", "max_tokens": 20, "temperature": GREEDY, "logprobs": 2, "echo": true });
    let answer = server.post("/v1/completions", &body).ok();
    let choice = &answer["choices"][0];
    assert_eq!(
        choice["text"],
        "One day, a little girl named Lily went to the park with her mom. She"
    );
    assert_eq!(choice["finish_reason"], "length");
    assert_eq!(answer["usage"]["completion_tokens"], 20);
    let logprobs = &choice["logprobs"];
    let num = answer["usage"]["total_tokens"].as_u64().expect("a number") as usize;
    for list in ["tokens", "token_logprobs", "top_logprobs", "text_offset"] {
        assert_eq!(logprobs[list].as_array().map(Vec::len), Some(num), "{list}");
    }
    assert!(logprobs["token_logprobs"][0].is_null());
    assert!(logprobs["top_logprobs"][0].is_null());
    // The token itself is told with the best ones, whether it is one of them or not.
    let list = |name: &str| logprobs[name].as_array().expect("a list").clone();
    let pairs = list("tokens").into_iter().zip(list("top_logprobs"));
    for (token, top) in pairs.skip(1) {
        let token = token.as_str().expect("text");
        assert!(top[token].is_number(), "{token}: {top}");
    }
    assert_eq!(
        logprobs["top_logprobs"][5].as_object().map(|top| top.len()),
        Some(2)
    );
}

#[test]
fn a_stream_adds_up_to_the_whole() {
    let server = Fixture::new();
    let messages =
        json!([{ "role": "user", "content": [{ "type": "text", "text": "Tell a story" }] }]);
    let mut body =
        json!({ "messages": messages, "max_tokens": 30, "seed": 7, "n": 2, "model": "any" });
    let whole = server.post("/v1/chat/completions", &body).ok();
    body["stream"] = json!(true);
    body["stream_options"] = json!({ "include_usage": true });
    let events = server.events("/v1/chat/completions", &body);
    assert_eq!(events.last().map(|(_, data)| data.as_str()), Some("[DONE]"));
    let mut texts = [String::new(), String::new()];
    let mut usage = Value::Null;
    for (_, data) in &events[..events.len() - 1] {
        let chunk: Value = serde_json::from_str(data).expect("JSON");
        assert_eq!(chunk["object"], "chat.completion.chunk");
        usage = chunk["usage"].clone();
        if let Some(choice) = chunk["choices"].get(0) {
            let index = choice["index"].as_u64().expect("a number") as usize;
            texts[index] += choice["delta"]["content"].as_str().unwrap_or_default();
        }
    }
    for (index, text) in texts.iter().enumerate() {
        assert_eq!(whole["choices"][index]["message"]["content"], text.as_str());
    }
    assert_ne!(texts[0], texts[1], "each has a seed of its own");
    assert_eq!(
        usage["completion_tokens"],
        whole["usage"]["completion_tokens"]
    );
}

#[test]
fn calls_of_tools_have_the_form_of_their_schema() {
    let server = Fixture::new();
    let tool = json!({ "type": "function", "function": { "name": "door", "parameters": door() } });
    let mut body = json!({
        "messages": [{ "role": "user", "content": "Open" }],
        "tools": [tool], "tool_choice": "required", "parallel_tool_calls": false, "max_tokens": 200,
    });
    let answer = server.post("/v1/chat/completions", &body).ok();
    let choice = &answer["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls");
    let call = &choice["message"]["tool_calls"][0];
    assert_eq!(call["function"]["name"], "door");
    let arguments = call["function"]["arguments"]
        .as_str()
        .expect("JSON as text");
    // A stream gives the same text, blank for blank.
    body["seed"] = json!(5);
    let whole = server.post("/v1/chat/completions", &body).ok();
    let mut streamed = body.clone();
    streamed["stream"] = json!(true);
    let events = server.events("/v1/chat/completions", &streamed);
    let pieces = events.iter().filter_map(|(_, data)| {
        let chunk: Value = serde_json::from_str(data).ok()?;
        let call = &chunk["choices"][0]["delta"]["tool_calls"][0];
        Some(call["function"]["arguments"].as_str()?.to_owned())
    });
    let call = &whole["choices"][0]["message"]["tool_calls"][0];
    assert_eq!(
        call["function"]["arguments"],
        pieces.collect::<String>().as_str()
    );
    let arguments: Value = serde_json::from_str(arguments).expect("JSON");
    assert!(arguments["open"].is_boolean(), "{arguments}");
    // And the conversation goes on with the tool's answer.
    body["messages"] = json!([
        { "role": "user", "content": "Open" },
        choice["message"],
        { "role": "tool", "tool_call_id": call["id"], "content": "done" },
    ]);
    body["tool_choice"] = json!("none");
    body["max_tokens"] = json!(5);
    server.post("/v1/chat/completions", &body).ok();
}

#[test]
fn a_reply_keeps_to_its_schema() {
    let server = Fixture::new();
    let schema = json!({ "type": "object", "properties": { "n": { "enum": [1, 2] } }, "required": ["n"], "additionalProperties": false });
    let body = json!({
        "messages": [{ "role": "user", "content": "A number" }],
        "response_format": { "type": "json_schema", "json_schema": { "name": "n", "schema": schema } },
    });
    let answer = server.post("/v1/chat/completions", &body).ok();
    let content = answer["choices"][0]["message"]["content"]
        .as_str()
        .expect("text");
    let value: Value = serde_json::from_str(content).expect("JSON");
    assert!(value["n"] == 1 || value["n"] == 2, "{value}");
}

#[test]
fn what_is_wrong_is_named() {
    let server = Fixture::new();
    let tool = |kind: &str| json!({ "type": "function", "function": { "name": "door", "parameters": { "type": kind } } });
    let chat = |fields: Value| {
        let mut body =
            json!({ "messages": [{ "role": "user", "content": "Hi" }], "max_tokens": 1 });
        for (name, value) in fields.as_object().expect("an object") {
            body[name] = value.clone();
        }
        server.post("/v1/chat/completions", &body)
    };
    let wrong = [
        (json!({ "temperature": "hot" }), "temperature"),
        (json!({ "top_p": 2 }), "top_p"),
        (json!({ "max_tokens": -7 }), "max_tokens"),
        (json!({ "n": 0 }), "n"),
        (json!({ "n": 100_000 }), "n"),
        (json!({ "stop": ["", "x"] }), "stop"),
        (json!({ "top_logprobs": 2 }), "top_logprobs"),
        (
            json!({ "logprobs": true, "top_logprobs": 21 }),
            "top_logprobs",
        ),
        (json!({ "logit_bias": { "99999": 1 } }), "logit_bias"),
        (json!({ "messages": [] }), "messages"),
        (
            json!({ "messages": [{ "role": "robot", "content": "x" }] }),
            "messages[0].role",
        ),
        (
            json!({ "messages": [{ "role": "user", "content": [{ "type": "image_url" }] }] }),
            "messages[0].content[0]",
        ),
        (json!({ "functions": [] }), "functions"),
        (json!({ "audio": {} }), "audio"),
        (json!({ "tool_choice": "required" }), "tool_choice"),
        (
            json!({ "response_format": { "type": "xml" } }),
            "response_format.type",
        ),
        (json!({ "mirostat": 3 }), "mirostat"),
        (json!({ "messages": null }), "messages"),
        (json!({ "grammar": "root ::= \"a" }), "grammar"),
        (
            json!({ "response_format": { "type": "json_object", "schema": { "type": "nothing" } } }),
            "response_format",
        ),
        (json!({ "tools": [tool("number")] }), "tools"),
        (
            json!({ "tools": [tool("object")], "tool_choice": { "type": "function", "function": { "name": "wall" } } }),
            "tool_choice",
        ),
        // Other servers know these, and a reply would be another one with them.
        (json!({ "lora": [{ "id": 0, "scale": 1 }] }), "lora"),
        (json!({ "guided_regex": "a" }), "guided_regex"),
        (
            json!({ "truncate_prompt_tokens": 4 }),
            "truncate_prompt_tokens",
        ),
    ];
    for (fields, param) in wrong {
        let answer = chat(fields.clone());
        assert_eq!(answer.status, 400, "{fields}: {}", answer.text);
        let error = &answer.json()["error"];
        assert_eq!(error["param"], param, "{fields}: {error}");
        assert_eq!(error["type"], "invalid_request_error");
    }
    let long = chat(json!({ "messages": [{ "role": "user", "content": "word ".repeat(600) }] }));
    assert_eq!(long.status, 400);
    assert_eq!(long.json()["error"]["code"], "context_length_exceeded");
    assert_eq!(long.json()["error"]["n_ctx"], 512);
    let schema = json!({ "type": "json_schema", "json_schema": { "schema": { "type": "object", "$ref": "https://example.org/x" } } });
    assert_eq!(chat(json!({ "response_format": schema })).status, 400);
    for body in ["", "{", "[]", "nonsense", &"[".repeat(100_000)] {
        let answer = server.post_text("/v1/chat/completions", body);
        assert_eq!(answer.status, 400, "{}", answer.text);
    }
    assert_eq!(server.get("/v1/nothing").status, 404);
    let get = server.get("/v1/chat/completions");
    assert_eq!(get.status, 405);
    assert_eq!(get.json()["error"]["type"], "invalid_request_error");
    let nothing =
        chat(json!({ "lora": [], "use_beam_search": false, "truncate_prompt_tokens": -1 }));
    assert_eq!(nothing.status, 200, "{}", nothing.text);
    assert_eq!(nothing.header("x-ingle-ignored"), None);
}

#[test]
fn a_stream_tells_the_tokens_of_the_whole() {
    let server = Fixture::new();
    // The text before a stop string is held back until it is sure that it is none; what ends the reply has no text.
    for (path, stop) in [
        ("/v1/chat/completions", json!([" named Lily", "zzz"])),
        ("/v1/completions", json!(["named", "zzz"])),
        ("/v1/completions", json!(null)),
    ] {
        let mut body = json!({
            "max_tokens": 12, "temperature": GREEDY, "stop": stop, "prompt": "One day",
            "messages": [{ "role": "user", "content": "Tell" }],
        });
        let is_chat = path.contains("chat");
        body["logprobs"] = if is_chat { json!(true) } else { json!(1) };
        let tokens = |choice: &Value| match is_chat {
            true => {
                let tokens = choice["logprobs"]["content"].as_array().cloned();
                let tokens = tokens.unwrap_or_default().into_iter();
                tokens.map(|token| token["token"].clone()).collect()
            }
            false => choice["logprobs"]["tokens"]
                .as_array()
                .cloned()
                .unwrap_or_default(),
        };
        let whole = server.post(path, &body).ok();
        let expected: Vec<Value> = tokens(&whole["choices"][0]);
        assert_eq!(whole["usage"]["completion_tokens"], expected.len());
        body["stream"] = json!(true);
        let events = server.events(path, &body);
        let chunks = events
            .iter()
            .filter_map(|(_, data)| serde_json::from_str::<Value>(data).ok());
        let streamed = chunks.flat_map(|chunk| tokens(&chunk["choices"][0]));
        assert_eq!(streamed.collect::<Vec<_>>(), expected, "{path} {stop}");
    }
}

#[test]
fn what_several_prompts_found_in_the_cache_adds_up() {
    let server = Fixture::new();
    let long = |first: &str| format!("{first} {}", "word ".repeat(150));
    let mut body = json!({
        "prompt": [long("One"), long("Two")], "max_tokens": 1, "n": 2, "stream_options": { "include_usage": true },
    });
    server.post("/v1/completions", &body).ok();
    let usage = server.post("/v1/completions", &body).ok()["usage"].clone();
    let prompt_tokens = usage["prompt_tokens"].as_u64().expect("a number");
    let cached = usage["prompt_tokens_details"]["cached_tokens"]
        .as_u64()
        .expect("a number");
    assert!(2 * cached > prompt_tokens, "{usage}");
    body["stream"] = json!(true);
    let events = server.events("/v1/completions", &body);
    let last: Value = serde_json::from_str(&events[events.len() - 2].1).expect("JSON");
    assert_eq!(last["usage"], usage);
}

#[test]
fn unknown_fields_are_named_in_a_header() {
    let server = Fixture::new();
    let body = json!({ "prompt": "One", "max_tokens": 1, "colour": "red", "user": "me", "stream_options": { "x": 1 } });
    let answer = server.post("/v1/completions", &body);
    assert_eq!(
        answer.header("x-ingle-ignored"),
        Some("colour, stream_options.x")
    );
    let parts = json!([{ "type": "text", "text": "Hi", "cache_control": { "type": "ephemeral" } }]);
    let body = json!({ "messages": [{ "role": "user", "content": parts }], "max_tokens": 1 });
    let answer = server.post("/v1/chat/completions", &body);
    let named = Some("messages.0.content.0.cache_control");
    assert_eq!(answer.header("x-ingle-ignored"), named);
    let body =
        json!({ "messages": [{ "role": "user", "content": [{ "type": "text", "text": 1 }] }] });
    let error = server.post("/v1/chat/completions", &body).json();
    assert_eq!(error["error"]["param"], "messages[0].content[0].text");
}

#[test]
fn keys_hosts_and_sizes_are_checked() {
    let mut locked = options();
    locked.api_keys = vec!["secret".into()];
    locked.max_body = 1000;
    let server = Fixture::start(locked);
    assert_eq!(server.get("/health").status, 200);
    let refused = server.get("/v1/models");
    assert_eq!(refused.status, 401);
    assert_eq!(refused.json()["error"]["code"], "invalid_api_key");
    let ask = |headers: &[(&str, &str)], body: &str| {
        let mut request = crate::support::agent().post(server.url("/v1/completions"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send(body).expect("an answer").status().as_u16()
    };
    let body = r#"{"prompt": "One", "max_tokens": 1}"#;
    assert_eq!(ask(&[("authorization", "Bearer secret")], body), 200);
    assert_eq!(ask(&[("x-api-key", "secret")], body), 200);
    assert_eq!(ask(&[("authorization", "Bearer wrong")], body), 401);
    assert_eq!(
        ask(&[("x-api-key", "secret"), ("host", "evil.example")], body),
        403
    );
    assert_eq!(
        ask(
            &[("x-api-key", "secret"), ("origin", "https://evil.example")],
            body
        ),
        403
    );
    assert_eq!(ask(&[("x-api-key", "secret")], &"x".repeat(1001)), 413);
}

#[test]
fn a_full_queue_refuses() {
    let mut small = options();
    (small.parallel, small.max_queue) = (1, 1);
    let server = Fixture::start(small);
    let long = json!({ "prompt": "One", "stream": true, "ignore_eos": true, "n": 2 });
    let request = crate::support::agent().post(server.url("/v1/completions"));
    let running = request.send(long.to_string()).expect("it begins");
    let refused = server.post(
        "/v1/completions",
        &json!({ "prompt": "One", "max_tokens": 1 }),
    );
    assert_eq!(refused.status, 429, "{}", refused.text);
    assert!(refused.header("retry-after").is_some());
    assert_eq!(server.get("/health").status, 200);
    // The client goes, and its places are free again.
    drop(running);
    let begun = std::time::Instant::now();
    while server
        .post(
            "/v1/completions",
            &json!({ "prompt": "One", "max_tokens": 1 }),
        )
        .status
        != 200
    {
        assert!(
            begun.elapsed().as_secs() < 10,
            "the places do not come back"
        );
    }
}

#[test]
fn tools_that_a_template_does_not_show_are_refused() {
    let mut silent = options();
    let configure =
        |builder: ingle::ModelBuilder| builder.chat_template("{{ messages[0].content }}");
    silent.configure = std::sync::Arc::new(configure);
    let server = Fixture::start(silent);
    let tool = json!({ "type": "function", "function": { "name": "door" } });
    let body = json!({ "messages": [{ "role": "user", "content": "Open" }], "tools": [tool], "max_tokens": 1 });
    let answer = server.post("/v1/chat/completions", &body);
    assert_eq!(answer.status, 400, "{}", answer.text);
    assert_eq!(answer.json()["error"]["param"], "tools");
    let tool = json!({ "type": "function", "name": "door" });
    let body = json!({ "input": "Open", "tools": [tool], "max_output_tokens": 1 });
    assert_eq!(server.post("/v1/responses", &body).status, 400);
}
