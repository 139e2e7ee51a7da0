//! llama.cpp's dialect.

use std::io::{BufRead, BufReader};

use serde_json::{Value, json};

use crate::support::{Fixture, agent, options, stories};

const TEXT: &str = ", a little girl named Lily went to the park with her mom. She";

#[test]
fn a_completion_says_how_it_came_about() {
    let server = Fixture::new();
    let body = json!({
        "prompt": "One day", "n_predict": 20, "temperature": 0, "n_probs": 2, "return_tokens": true, "id_slot": 0,
        "n_keep": 4, "lora": [],
    });
    let answer = server.post("/completion", &body);
    assert_eq!(answer.header("x-ingle-ignored"), None);
    let answer = answer.ok();
    assert_eq!(answer["content"], TEXT);
    assert_eq!(answer["stop"], true);
    assert_eq!(answer["stop_type"], "limit");
    assert_eq!(answer["truncated"], false);
    assert_eq!(answer["tokens_predicted"], 20);
    assert_eq!(answer["tokens"].as_array().map(Vec::len), Some(20));
    assert_eq!(answer["timings"]["predicted_n"], 20);
    assert_eq!(answer["id_slot"], 0);
    let settings = &answer["generation_settings"];
    assert_eq!(settings["n_predict"], 20);
    assert_eq!(settings["temperature"], 0.0);
    assert_eq!(settings["samplers"][0], "penalties");
    let probs = answer["completion_probabilities"]
        .as_array()
        .expect("a list");
    assert_eq!(probs.len(), 20);
    assert_eq!(probs[0]["top_logprobs"].as_array().map(Vec::len), Some(2));
    assert_eq!(probs[0]["id"], answer["tokens"][0]);
    let stopped = server.post(
        "/completions",
        &json!({ "prompt": "One day", "temperature": 0, "stop": [" named"], "response_fields": ["content", "timings/predicted_n", "stop_type", "stopping_word"] }),
    );
    let stopped = stopped.ok();
    assert_eq!(stopped["content"], ", a little girl");
    assert_eq!(
        (&stopped["stop_type"], &stopped["stopping_word"]),
        (&json!("word"), &json!(" named"))
    );
    assert!(stopped["predicted_n"].is_number());
    assert_eq!(stopped.as_object().map(|fields| fields.len()), Some(4));
}

#[test]
fn prompts_come_as_text_and_tokens() {
    let server = Fixture::new();
    let tokens = server.post(
        "/tokenize",
        &json!({ "content": "One day", "add_special": true }),
    );
    let tokens = tokens.ok()["tokens"].clone();
    let complete = |prompt: Value| {
        let body = json!({ "prompt": prompt, "n_predict": 20, "temperature": 0 });
        server.post("/completion", &body).ok()
    };
    assert_eq!(complete(tokens.clone())["content"], TEXT);
    let mut mixed = tokens.as_array().expect("a list").clone();
    mixed.push(json!(", a little"));
    assert_eq!(
        complete(json!(mixed))["content"]
            .as_str()
            .map(|text| &text[..5]),
        Some(" girl")
    );
    let several = complete(json!(["One day", tokens, mixed]));
    let several = several.as_array().expect("a list");
    assert_eq!(several.len(), 3);
    for (index, answer) in several[..2].iter().enumerate() {
        assert_eq!(answer["index"], index);
        assert_eq!(answer["content"], TEXT);
    }
}

#[test]
fn a_stream_ends_with_an_event_that_says_so() {
    let server = Fixture::new();
    let body = json!({
        "prompt": ["One day", "Once"], "n_predict": 20, "temperature": 0, "stream": true, "timings_per_token": true,
        "return_tokens": true,
    });
    let events = server.events("/completion", &body);
    let (mut texts, mut tokens, mut ends) = ([String::new(), String::new()], [0, 0], 0);
    for (_, data) in &events {
        let event: Value = serde_json::from_str(data).expect("JSON, and no [DONE]");
        let index = event["index"].as_u64().expect("a number") as usize;
        texts[index] += event["content"].as_str().expect("text");
        tokens[index] += event["tokens"].as_array().map_or(0, Vec::len);
        assert!(event["timings"]["predicted_n"].is_number());
        if event["stop"] == true {
            ends += 1;
            assert_eq!(event["stop_type"], "limit");
            assert_eq!(event["tokens_predicted"], 20);
        }
    }
    assert_eq!(texts[0], TEXT);
    assert_eq!((tokens, ends), ([20, 20], 2));
}

#[test]
fn time_is_bounded_once_there_is_a_line() {
    let server = Fixture::new();
    let ask = |grammar: &str| {
        let body = json!({
            "prompt": "One day", "n_predict": 200, "grammar": grammar, "t_max_predict_ms": 1,
        });
        server.post("/completion", &body).ok()
    };
    let lines = ask("root ::= (\"a\" | \"b\" | \"\\n\")*");
    let no_lines = ask("root ::= (\"a\" | \"b\"){150}");
    assert_eq!(no_lines["content"].as_str().map(str::len), Some(150));
    if lines["has_new_line"] == true {
        assert_eq!(lines["stop_type"], "limit");
        let text = lines["content"].as_str().expect("text");
        assert!(text.len() < 190, "{text}");
    }
}

#[test]
fn what_becomes_of_models_is_told() {
    let path = std::path::PathBuf::from(stories());
    let mut many = options();
    (many.model, many.models_dir) = (None, path.parent().map(Into::into));
    let server = Fixture::start(many);
    let url = server.url("/models/sse");
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let response = agent().get(url).call().expect("an answer");
        let lines = BufReader::new(response.into_body().into_reader()).lines();
        // The first line says that somebody listens.
        let _ = tell.send(String::new());
        for line in lines.map_while(Result::ok) {
            let _ = tell.send(line);
        }
    });
    told.recv().expect("it answers");
    let wait_for = |status: &str| {
        let event = json!({ "model": NAME, "event": "model_status", "data": { "status": status } });
        let wanted = format!("data: {event}");
        while told.recv().expect("it goes on") != wanted {}
    };
    const NAME: &str = "stories260K-f32";
    let which = json!({ "model": NAME });
    server.post("/models/load", &which).ok();
    wait_for("loaded");
    let listed = server.get(&format!("/v1/models/{NAME}")).ok();
    assert_eq!(listed["status"]["value"], "loaded");
    assert_eq!(listed["size"], path.metadata().expect("it is there").len());
    server.post("/models/unload", &which).ok();
    wait_for("unloaded");
}

#[test]
fn what_is_wrong_has_llama_cpp_s_shape() {
    let server = Fixture::new();
    let wrong = [
        (json!({}), "prompt"),
        (json!({ "prompt": [] }), "prompt"),
        (json!({ "prompt": 1 }), "prompt"),
        (json!({ "prompt": [1, 99999] }), "prompt"),
        (json!({ "prompt": "a", "id_slot": 4096 }), "id_slot"),
        (json!({ "prompt": "a", "n_discard": -1 }), "n_discard"),
        (json!({ "prompt": "a", "n_probs": 1000 }), "n_probs"),
        (json!({ "prompt": "a", "n_predict": -2 }), "n_predict"),
        (json!({ "prompt": "a", "lora": [{ "id": 0 }] }), "lora"),
        (json!({ "prompt": "a", "image_data": [{}] }), "image_data"),
        (
            json!({ "prompt": "a", "json_schema": { "type": "x" } }),
            "json_schema",
        ),
        (json!({ "prompt": "a", "samplers": ["magic"] }), "samplers"),
        (
            json!({ "prompt": { "prompt_string": "a", "multimodal_data": ["x"] } }),
            "prompt.multimodal_data",
        ),
    ];
    for (body, param) in wrong {
        let answer = server.post("/completion", &body);
        assert_eq!(answer.status, 400, "{body}: {}", answer.text);
        let error = &answer.json()["error"];
        assert_eq!(error["code"], 400);
        assert_eq!(error["type"], "invalid_request_error");
        assert_eq!(error["param"], param, "{error}");
    }
    let long = server.post("/completion", &json!({ "prompt": "word ".repeat(600) }));
    assert_eq!(long.json()["error"]["type"], "exceed_context_size_error");
    let suffix = json!({ "prompt": "a", "suffix": "b" });
    let suffix = server.post("/v1/completions", &suffix);
    assert_eq!(suffix.json()["error"]["param"], "suffix");
    let infill = server.post(
        "/infill",
        &json!({ "input_prefix": "a", "input_suffix": "b" }),
    );
    assert_eq!(infill.status, 501);
    assert_eq!(infill.json()["error"]["type"], "not_supported_error");
    for path in ["/slots/0?action=save", "/props"] {
        assert_eq!(server.post(path, &json!({})).status, 501, "{path}");
    }
    assert_eq!(server.post("/slots/x?action=save", &json!({})).status, 400);
    assert_eq!(server.post_text("/lora-adapters", "{").status, 400);
    assert_eq!(
        server.post_text("/lora-adapters", r#"[{"id": 0}]"#).status,
        400
    );
    assert_eq!(server.post_text("/lora-adapters", "[]").status, 200);
    assert_eq!(server.get("/lora-adapters").ok(), json!([]));
}

#[test]
fn slots_show_what_is_under_way() {
    let mut small = options();
    small.parallel = 2;
    let server = Fixture::start(small);
    let busy = |server: &Fixture| {
        let slots = server.get("/slots").ok();
        let slots = slots.as_array().expect("a list").clone();
        assert_eq!(slots.len(), 2);
        slots
            .into_iter()
            .filter(|slot| slot["is_processing"] == true)
            .collect::<Vec<_>>()
    };
    assert!(busy(&server).is_empty());
    assert_eq!(server.get("/slots?fail_on_no_slot=1").status, 200);
    let long =
        json!({ "prompt": "One", "stream": true, "ignore_eos": true, "n": 3, "temperature": 0.5 });
    let request = agent().post(server.url("/completion"));
    let running = request.send(long.to_string()).expect("it begins");
    let slots = busy(&server);
    if slots.len() == 2 {
        assert_eq!(slots[0]["params"]["temperature"], 0.5);
        assert!(slots[0]["n_decoded"].is_number());
        assert_eq!(server.get("/slots?fail_on_no_slot=1").status, 503);
    }
    drop(running);
    let begun = std::time::Instant::now();
    while !busy(&server).is_empty() {
        assert!(begun.elapsed().as_secs() < 10, "the slots do not come back");
    }
}

#[test]
fn the_model_s_facts_are_told() {
    let server = Fixture::new();
    let props = server.get("/props").ok();
    assert_eq!(props["default_generation_settings"]["n_ctx"], 512);
    assert_eq!(props["model_alias"], "stories260K-f32");
    assert_eq!(props["bos_token"], "<s>");
    assert_eq!(props["chat_template_caps"]["supports_tool_calls"], true);
    assert!(
        props["chat_template"]
            .as_str()
            .is_some_and(|text| text.contains("messages"))
    );
    let messages = json!([{ "role": "user", "content": "Hi" }]);
    let applied = server
        .post("/apply-template", &json!({ "messages": messages }))
        .ok();
    assert_eq!(applied["prompt"], "user: Hi\nassistant: ");
    let count = |path: &str, body: &Value| server.post(path, body).ok()["input_tokens"].clone();
    let counted = count(
        "/v1/chat/completions/input_tokens",
        &json!({ "messages": messages }),
    );
    let chat = json!({ "messages": messages, "max_tokens": 1 });
    let used = server.post("/v1/chat/completions", &chat).ok()["usage"]["prompt_tokens"].clone();
    assert_eq!(counted, used);
    let which = json!({ "model": "stories260K-f32" });
    server.post("/models/unload", &which).ok();
    assert_eq!(server.get("/props").ok()["is_sleeping"], true);
    assert_eq!(server.post("/models/unload", &which).status, 400);
    server.post("/models/load", &which).ok();
    assert_eq!(server.get("/props").ok()["is_sleeping"], false);
}
