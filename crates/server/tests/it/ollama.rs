//! Ollama's dialect.

use std::io::{BufRead, BufReader};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::hub::TestHub;
use crate::support::{Answer, Fixture, agent, door, options};

/// A template that thinks when it is told to.
const THINKING: &str = "\
{%- for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor -%}
{%- if add_generation_prompt %}assistant: {% if enable_thinking %}<think>{% endif %}{% endif -%}";

fn with(mut body: Value, fields: &Value) -> Value {
    for (name, value) in fields.as_object().expect("an object") {
        body[name] = value.clone();
    }
    body
}

fn chat(fields: Value) -> Value {
    let body = json!({
        "model": "any",
        "messages": [{ "role": "user", "content": "Tell a story" }],
        "options": { "temperature": 0, "num_predict": 20 },
    });
    with(body, &fields)
}

fn generate(fields: Value) -> Value {
    let body = json!({
        "model": "any",
        "prompt": "One day",
        "options": { "temperature": 0, "num_predict": 20 },
    });
    with(body, &fields)
}

/// The lines of a stream.
fn lines(server: &Fixture, path: &str, body: &Value) -> Vec<Value> {
    let response = agent().post(server.url(path)).send(body.to_string());
    let response = response.expect("an answer");
    assert_eq!(response.status(), 200);
    let kind = response.headers().get("content-type");
    assert_eq!(
        kind.and_then(|kind| kind.to_str().ok()),
        Some("application/x-ndjson")
    );
    let reader = BufReader::new(response.into_body().into_reader());
    let line = |line: std::io::Result<String>| {
        serde_json::from_str(&line.expect("text")).expect("each line is JSON")
    };
    reader.lines().map(line).collect()
}

/// Asks for the whole and for the stream, which must say the same.
fn both(server: &Fixture, path: &str, body: Value) -> Value {
    let whole = server
        .post(path, &with(body.clone(), &json!({ "stream": false })))
        .ok();
    let lines = lines(server, path, &body);
    let (last, before) = lines.split_last().expect("lines");
    assert!(before.iter().all(|line| line["done"] == false));
    assert_eq!(last["done"], true);
    let text = |line: &Value, field: &str| {
        let place = match path {
            "/api/chat" => &line["message"],
            _ => line,
        };
        place[field].as_str().unwrap_or_default().to_owned()
    };
    for field in ["content", "response", "thinking"] {
        let sum: String = lines.iter().map(|line| text(line, field)).collect();
        assert_eq!(text(&whole, field), sum, "{field}");
    }
    let lists = |lines: &[Value], path: &str| -> Vec<Value> {
        let list = |line: &Value| line.pointer(path).and_then(Value::as_array).cloned();
        lines.iter().filter_map(list).flatten().collect()
    };
    let one = std::slice::from_ref(&whole);
    assert_eq!(lists(one, "/logprobs"), lists(&lines, "/logprobs"));
    let names = |calls: Vec<Value>| -> Vec<Value> {
        calls.iter().map(|call| call["function"].clone()).collect()
    };
    assert_eq!(
        names(lists(one, "/message/tool_calls")),
        names(lists(&lines, "/message/tool_calls"))
    );
    for field in [
        "model",
        "done_reason",
        "eval_count",
        "prompt_eval_count",
        "context",
    ] {
        assert_eq!(whole[field], last[field], "{field}");
    }
    for field in [
        "total_duration",
        "load_duration",
        "prompt_eval_duration",
        "eval_duration",
    ] {
        assert!(whole[field].is_u64() && last[field].is_u64(), "{field}");
    }
    whole
}

#[test]
fn a_stream_adds_up_to_the_whole() {
    let server = Fixture::new();
    let whole = both(
        &server,
        "/api/chat",
        chat(json!({ "logprobs": true, "top_logprobs": 2 })),
    );
    assert_eq!(whole["done_reason"], "length");
    assert_eq!(whole["eval_count"], 20);
    let logprobs = whole["logprobs"].as_array().expect("a list");
    assert_eq!(logprobs.len(), 20);
    assert_eq!(
        logprobs[3]["top_logprobs"].as_array().map(Vec::len),
        Some(2)
    );
    let text = whole["message"]["content"].as_str().expect("text");
    let word = text.split_whitespace().nth(4).expect("words");
    let stop = json!({ "options": { "temperature": 0, "num_predict": 20, "stop": [word] } });
    let stopped = both(&server, "/api/chat", chat(stop));
    assert_eq!(stopped["done_reason"], "stop");
    let time = whole["created_at"].as_str().expect("a time");
    assert!(time.starts_with("20") && time.ends_with('Z'), "{time}");
}

#[test]
fn a_completion_gives_the_tokens_to_go_on_from() {
    let server = Fixture::new();
    let raw = both(&server, "/api/generate", generate(json!({ "raw": true })));
    assert_eq!(
        raw["response"],
        ", a little girl named Lily went to the park with her mom. She"
    );
    assert!(raw.get("context").is_none());
    let first = both(
        &server,
        "/api/generate",
        generate(json!({ "system": "Be brief" })),
    );
    let context = first["context"].as_array().expect("a list").clone();
    let tokens = first["prompt_eval_count"].as_u64().expect("a number") + 20;
    assert!(
        context.len() as u64 >= tokens - 1,
        "{} of {tokens}",
        context.len()
    );
    let body = generate(json!({ "prompt": "And then", "context": context }));
    let second = server
        .post("/api/generate", &with(body, &json!({ "stream": false })))
        .ok();
    let longer = second["context"].as_array().expect("a list");
    assert_eq!(&longer[..context.len()], &context[..]);
    assert!(second["prompt_eval_count"].as_u64() > Some(context.len() as u64));
}

#[test]
fn tools_are_called_with_whole_objects() {
    let server = Fixture::new();
    let function = json!({ "name": "door", "description": "Opens", "parameters": door() });
    let tools = json!([{ "type": "function", "function": function }]);
    // The last turn begins a call, so that the small model ends it.
    let turns = json!([
        { "role": "user", "content": "Open" },
        { "role": "assistant", "content": "x <tool_call>" },
    ]);
    let answer = json!([
        { "role": "user", "content": "Open" },
        { "role": "assistant", "content": "", "tool_calls": [{ "function": { "name": "door", "arguments": { "open": true } } }] },
        { "role": "tool", "tool_name": "door", "content": "done" },
    ]);
    both(
        &server,
        "/api/chat",
        chat(json!({ "messages": answer, "tools": tools })),
    );
    let body = chat(json!({ "messages": turns, "tools": tools, "stream": false }));
    server.post("/api/chat", &body).ok();
    let wrong = json!([{ "role": "assistant", "tool_calls": [{ "function": { "name": "door", "arguments": "{}" } }] }]);
    let refused = server.post("/api/chat", &chat(json!({ "messages": wrong })));
    assert_eq!(refused.status, 400);
    assert!(
        refused
            .text
            .contains("messages[0].tool_calls[0].function.arguments"),
        "{}",
        refused.text
    );
}

#[test]
fn a_reply_keeps_to_its_form() {
    let server = Fixture::new();
    let schema = json!({ "type": "object", "properties": { "n": { "enum": [1, 2] } }, "required": ["n"], "additionalProperties": false });
    let body =
        chat(json!({ "format": schema, "options": { "num_predict": 100 }, "stream": false }));
    let answer = server.post("/api/chat", &body).ok();
    let text = answer["message"]["content"].as_str().expect("text");
    let value: Value = serde_json::from_str(text).expect("JSON");
    assert!(value["n"] == 1 || value["n"] == 2, "{value}");
}

#[test]
fn thoughts_are_told_from_the_reply() {
    let mut thinking = options();
    thinking.configure = Arc::new(|builder| builder.chat_template(THINKING).threads(1));
    let server = Fixture::start(thinking);
    for (path, body) in [
        ("/api/chat", chat(json!({}))),
        ("/api/generate", generate(json!({}))),
    ] {
        let whole = both(
            &server,
            path,
            with(body.clone(), &json!({ "think": "high" })),
        );
        let place = if path == "/api/chat" {
            &whole["message"]
        } else {
            &whole
        };
        assert!(
            place["thinking"]
                .as_str()
                .is_some_and(|text| text.len() > 20),
            "{whole}"
        );
        let whole = both(&server, path, with(body, &json!({ "think": false })));
        let place = if path == "/api/chat" {
            &whole["message"]
        } else {
            &whole
        };
        assert!(place.get("thinking").is_none(), "{whole}");
    }
}

#[test]
fn models_are_listed_shown_and_kept_as_long_as_asked() {
    let server = Fixture::new();
    let tags = server.get("/api/tags").ok();
    let tag = &tags["models"][0];
    assert_eq!(tag["name"], "stories260K-f32");
    assert_eq!(tag["details"]["family"], "llama");
    assert_eq!(tag["details"]["quantization_level"], "F32");
    let shown = server.post("/api/show", &json!({ "model": "any" })).ok();
    assert_eq!(shown["details"], tag["details"]);
    assert_eq!(shown["model_info"]["general.architecture"], "llama");
    assert_eq!(shown["capabilities"], json!(["completion", "tools"]));
    assert!(
        shown["template"]
            .as_str()
            .is_some_and(|text| text.contains("message.role"))
    );
    assert!(server.get("/api/version").ok()["version"].is_string());
    let loaded = || server.get("/api/ps").ok()["models"].clone();
    assert_eq!(loaded()[0]["context_length"], 512);
    let keep = |keep: Value| {
        let body = json!({ "model": "any", "keep_alive": keep });
        server.post("/api/generate", &body).ok()["done_reason"].clone()
    };
    assert_eq!(keep(json!(0)), "unload");
    assert_eq!(loaded(), json!([]));
    assert_eq!(keep(json!("1h30m")), "load");
    let soon = loaded()[0]["expires_at"]
        .as_str()
        .expect("a time")
        .to_owned();
    assert_eq!(keep(json!(-1)), "load");
    let never = loaded()[0]["expires_at"]
        .as_str()
        .expect("a time")
        .to_owned();
    assert!(soon < never && never.as_str() > "2100", "{soon} {never}");
    // A reply is use, and the time runs from its end.
    let body = generate(json!({
        "keep_alive": "50ms",
        "options": { "num_predict": 400, "ignore_eos": true },
    }));
    assert_eq!(
        lines(&server, "/api/generate", &body)
            .last()
            .expect("lines")["eval_count"],
        400
    );
    let begun = Instant::now();
    while loaded() != json!([]) {
        assert!(begun.elapsed() < Duration::from_secs(20), "it is unloaded");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn texts_become_vectors() {
    let server = Fixture::new();
    let embed = |body: Value| server.post("/api/embed", &with(json!({ "model": "any" }), &body));
    let answer = embed(json!({ "input": ["a fox", "a bicycle"] })).ok();
    let vectors = answer["embeddings"].as_array().expect("a list");
    assert_eq!(vectors.len(), 2);
    assert_ne!(vectors[0], vectors[1]);
    assert!(answer["prompt_eval_count"].as_u64() > Some(4));
    assert_eq!(
        embed(json!({ "input": "a fox" })).ok()["embeddings"][0],
        vectors[0]
    );
    let short = embed(json!({ "input": "a fox", "dimensions": 4 })).ok();
    let length: f64 = short["embeddings"][0]
        .as_array()
        .expect("a list")
        .iter()
        .map(|x| x.as_f64().expect("a number").powi(2))
        .sum();
    assert!((length - 1.0).abs() < 1e-3, "{short}");
    assert_eq!(embed(json!({ "input": [] })).ok()["embeddings"], json!([]));
    let plain = server
        .post("/api/embeddings", &json!({ "prompt": "a fox" }))
        .ok();
    assert_eq!(
        plain["embedding"].as_array().map(Vec::len),
        vectors[0].as_array().map(Vec::len)
    );
    // What is too long is cut on request, and only then.
    let long = "word ".repeat(600);
    assert_eq!(embed(json!({ "input": long })).status, 400);
    assert_eq!(
        embed(json!({ "input": long, "truncate": true })).status,
        200
    );
    assert_eq!(embed(json!({ "input": "x", "dimensions": 0 })).status, 400);
    assert_eq!(embed(json!({ "input": vec!["x"; 3000] })).status, 400);
}

#[test]
fn what_is_wrong_is_named() {
    let server = Fixture::new();
    let cases = [
        (
            chat(json!({ "messages": [{ "role": "robot", "content": "x" }] })),
            "messages[0].role",
        ),
        (
            chat(json!({ "messages": [{ "role": "user", "content": "x", "images": ["AA=="] }] })),
            "messages[0].images",
        ),
        (
            chat(json!({ "options": { "temperature": "hot" } })),
            "options.temperature",
        ),
        (chat(json!({ "options": { "top_p": 7 } })), "top_p"),
        (
            chat(json!({ "options": { "num_ctx": 100_000 } })),
            "options.num_ctx",
        ),
        (chat(json!({ "options": { "stop": [""] } })), "options.stop"),
        (chat(json!({ "format": "xml" })), "format"),
        (chat(json!({ "think": "deeply" })), "think"),
        (chat(json!({ "think": true })), "think"),
        (chat(json!({ "top_logprobs": 2 })), "top_logprobs"),
        (
            chat(json!({ "logprobs": true, "top_logprobs": 21 })),
            "top_logprobs",
        ),
        (chat(json!({ "keep_alive": "soon" })), "keep_alive"),
        (chat(json!({ "tool_choice": "required" })), "tool_choice"),
        (generate(json!({ "suffix": "end" })), "suffix"),
        (generate(json!({ "images": ["AA=="] })), "images"),
        (generate(json!({ "template": "{{ .Prompt }}" })), "template"),
        (generate(json!({ "raw": true, "system": "x" })), "system"),
        (generate(json!({ "raw": true, "context": [1] })), "context"),
        (generate(json!({ "context": [99_999] })), "token 99999"),
        (generate(json!({ "width": 64 })), "width"),
        (
            generate(json!({ "prompt": "word ".repeat(600) })),
            "exceeds",
        ),
    ];
    for (body, name) in cases {
        let path = if body.get("messages").is_some() {
            "/api/chat"
        } else {
            "/api/generate"
        };
        let answer = server.post(path, &body);
        assert_eq!(answer.status, 400, "{body}: {}", answer.text);
        let error = answer.json();
        let message = error["error"].as_str().expect("a text");
        assert!(message.contains(name), "{body}: {message}");
    }
    let known = chat(json!({
        "options": { "num_ctx": 512, "num_gpu": 1, "num_thread": 2, "use_mmap": true, "num_predict": 1, "mood": "good" },
        "stream": false, "truncate": true, "shift": false,
    }));
    let answer = server.post("/api/chat", &known);
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.header("x-ingle-ignored"), Some("options.mood"));
}

#[test]
fn models_are_found_by_name_and_fetched_by_name_alone() {
    let mut named = options();
    (named.aliases, named.strict_model) = (vec!["stories".into()], true);
    let server = Fixture::start(named);
    let load = |name: &str| server.post("/api/generate", &json!({ "model": name }));
    assert_eq!(load("stories").ok()["model"], "stories");
    assert_eq!(load("stories:latest").ok()["model"], "stories");
    let missing = load("nothing:7b");
    assert_eq!(missing.status, 404);
    assert_eq!(missing.json()["error"], "model 'nothing:7b' not found");
    for name in [
        "/etc/passwd",
        "./x.gguf",
        "https://example.org/x.gguf",
        "file:///x.gguf",
    ] {
        for path in ["/api/pull", "/api/delete"] {
            let body = json!({ "model": name }).to_string();
            let answer = match path {
                "/api/pull" => server.post_text(path, &body),
                _ => delete(&server, &body),
            };
            assert_eq!(answer.status, 400, "{name}: {}", answer.text);
        }
    }
    assert_eq!(
        delete(&server, r#"{"model": "no/such:Q4_K_M"}"#).status,
        404
    );
    let unknown = delete(&server, r#"{"model": "nothing"}"#);
    assert_eq!(unknown.status, 404);
    assert_eq!(unknown.json()["error"], "model 'nothing' not found");
    assert_eq!(server.post("/api/pull", &json!({})).status, 400);
    for path in ["/api/copy", "/api/create", "/api/push"] {
        assert_eq!(server.post(path, &json!({})).status, 501, "{path}");
    }
    let nothing = server.get("/api/nothing");
    assert_eq!(nothing.status, 404);
    assert!(nothing.json()["error"].is_string());
}

fn delete(server: &Fixture, body: &str) -> Answer {
    let request = agent().delete(server.url("/api/delete")).force_send_body();
    Answer::read(request.send(body).expect("an answer"))
}

#[test]
fn clients_that_go_make_room() {
    let mut small = options();
    (small.parallel, small.max_queue) = (1, 0);
    let server = Fixture::start(small);
    let long = generate(json!({ "options": { "ignore_eos": true, "num_predict": 500 } }));
    let running = agent()
        .post(server.url("/api/generate"))
        .send(long.to_string());
    let running = running.expect("it begins");
    let short = generate(json!({ "stream": false, "options": { "num_predict": 1 } }));
    assert_eq!(server.post("/api/generate", &short).status, 429);
    drop(running);
    let begun = Instant::now();
    while server.post("/api/generate", &short).status != 200 {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "the place does not come back"
        );
    }
}

#[test]
fn models_are_fetched_with_progress_and_removed() {
    let hub = TestHub::start("pull", vec![7; 1 << 20], Duration::from_millis(5));
    let mut fetching = options();
    fetching.model = None;
    fetching.hub = Some(hub.config.clone());
    let server = Fixture::start(fetching);
    let names = || server.get("/api/tags").ok()["models"].clone();
    assert_eq!(names(), json!([]));
    let name = "org/tiny:Q4_0";
    let lines = lines(&server, "/api/pull", &json!({ "model": name }));
    assert_eq!(lines.first().expect("lines")["status"], "pulling manifest");
    assert_eq!(lines.last().expect("lines")["status"], "success");
    let done: Vec<u64> = lines
        .iter()
        .filter_map(|line| line["completed"].as_u64())
        .collect();
    assert!(
        done.is_sorted() && done.last() == Some(&(1 << 20)),
        "{done:?}"
    );
    assert_eq!(names()[0]["name"], name);
    assert_eq!(names()[0]["size"], 1 << 20);
    let again = json!({ "model": name, "stream": false });
    assert_eq!(server.post("/api/pull", &again).ok()["status"], "success");
    // Else each spelling would be loaded, and counted, as a model of its own.
    for spelling in [name, "org/tiny:q4_0", "org/tiny"] {
        let body = json!({ "model": spelling, "keep_alive": 0 });
        assert_eq!(server.post("/api/generate", &body).ok()["model"], name);
    }
    // It is no model, which is told when it is to be loaded.
    assert_eq!(
        delete(&server, &json!({ "model": name }).to_string()).status,
        200
    );
    assert_eq!(names(), json!([]));
    let missing = json!({ "model": "org/other", "stream": false });
    assert_eq!(server.post("/api/pull", &missing).status, 404);
}

#[test]
fn a_fetch_ends_when_its_client_goes() {
    let hub = TestHub::start("cancel", vec![7; 16 << 20], Duration::from_millis(50));
    let mut fetching = options();
    (fetching.model, fetching.hub) = (None, Some(hub.config.clone()));
    (fetching.parallel, fetching.max_queue) = (1, 0);
    let server = Fixture::start(fetching);
    let body = json!({ "model": "org/tiny:Q4_0" }).to_string();
    let response = agent()
        .post(server.url("/api/pull"))
        .send(&body)
        .expect("an answer");
    let mut reader = BufReader::new(response.into_body().into_reader());
    let mut line = String::new();
    while !line.contains("completed") {
        line.clear();
        assert!(reader.read_line(&mut line).expect("text") > 0, "it goes on");
    }
    // There is one place, and it is taken.
    assert_eq!(server.post_text("/api/pull", &body).status, 429);
    drop(reader);
    let begun = Instant::now();
    let other = json!({ "model": "org/other", "stream": false });
    while server.post("/api/pull", &other).status == 429 {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "the place does not come back"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(hub.folder().exists(), "what is there is kept");
}

#[test]
fn an_offline_server_fetches_nothing() {
    let hub = TestHub::start("offline", vec![7; 1000], Duration::ZERO);
    let mut offline = options();
    let config = ingle::hub::Config {
        offline: true,
        ..hub.config.clone()
    };
    (offline.model, offline.hub) = (None, Some(config));
    let server = Fixture::start(offline);
    let answer = server.post("/api/pull", &json!({ "model": "org/tiny:Q4_0" }));
    assert_eq!(answer.status, 403, "{}", answer.text);
}
