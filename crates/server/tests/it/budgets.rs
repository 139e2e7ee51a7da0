//! Bounds on thoughts and on guesses, how far a prompt is, and what is kept of prompts.

use std::sync::Arc;

use serde_json::{Value, json};
use server::Options;

use crate::support::{Fixture, options};

/// Thoughts that have begun; the small model never ends them.
const THINKING: &str = "\
{%- for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor -%}
{%- if add_generation_prompt %}assistant: <think>{% endif -%}";

const CHAT: &str = "/v1/chat/completions";

fn thinking() -> Options {
    let mut options = options();
    options.configure = Arc::new(|builder| builder.chat_template(THINKING).threads(1));
    options
}

fn ask(fields: &Value) -> Value {
    let mut body = json!({
        "messages": [{ "role": "user", "content": "Tell a story" }],
        "max_tokens": 60, "seed": 3, "temperature": 0.9,
    });
    for (name, value) in fields.as_object().expect("an object") {
        body[name] = value.clone();
    }
    body
}

/// Thoughts and text of an answer to a chat.
fn parts(server: &Fixture, fields: &Value) -> (String, String) {
    let answer = server.post(CHAT, &ask(fields)).ok();
    let message = &answer["choices"][0]["message"];
    let text = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
    (text("reasoning_content"), text("content"))
}

fn num_tokens(server: &Fixture, text: &str) -> usize {
    let answer = server.post("/tokenize", &json!({ "content": text })).ok();
    answer["tokens"].as_array().map_or(0, Vec::len)
}

#[test]
fn thoughts_end_when_their_budget_is_spent() {
    let server = Fixture::start(thinking());
    let (endless, nothing) = parts(&server, &json!({}));
    assert!(
        endless.len() > 60 && nothing.is_empty(),
        "{endless:?} {nothing:?}"
    );
    let (short, text) = parts(&server, &json!({ "reasoning_budget_tokens": 8 }));
    assert!(
        endless.starts_with(&short) && !text.is_empty(),
        "{short:?} {text:?}"
    );
    assert!((4..=9).contains(&num_tokens(&server, &short)), "{short:?}");
    let again = parts(&server, &json!({ "thinking_budget_tokens": 8 }));
    assert_eq!(again, (short.clone(), text.clone()), "under the other name");
    // Log-probabilities take a step for each token, guesses none: neither changes the text.
    let fields = json!({ "reasoning_budget_tokens": 8, "logprobs": true, "speculative.n_max": 0 });
    assert_eq!(parts(&server, &fields), (short, text));
    let fields = json!({ "reasoning_budget_tokens": 4, "reasoning_budget_message": " Enough." });
    let (thoughts, text) = parts(&server, &fields);
    assert!(
        thoughts.ends_with("Enough.") && !text.is_empty(),
        "{thoughts:?}"
    );
    let (none, text) = parts(&server, &json!({ "reasoning_budget_tokens": 0 }));
    assert!(none.is_empty() && !text.is_empty(), "{none:?}");
    let wrong = server.post(CHAT, &ask(&json!({ "reasoning_budget_tokens": -2 })));
    assert_eq!(wrong.status, 400);
    assert_eq!(wrong.json()["error"]["param"], "reasoning_budget_tokens");
}

#[test]
fn the_server_s_budget_holds_in_every_dialect() {
    let mut options = thinking();
    options.reasoning_budget = Some(6);
    let server = Fixture::start(options);
    let (thoughts, text) = parts(&server, &json!({}));
    assert!(!thoughts.is_empty() && !text.is_empty());
    // -1 is as the server was told.
    let same = parts(&server, &json!({ "reasoning_budget_tokens": -1 }));
    assert_eq!(same, (thoughts, text));
    let body = json!({ "input": "Tell a story", "max_output_tokens": 40, "seed": 3 });
    let answer = server.post("/v1/responses", &body).ok();
    assert_eq!(answer["output"][0]["type"], "reasoning");
    assert_eq!(answer["output"][1]["type"], "message");
    let answer = server
        .post("/v1/messages", &ask(&json!({ "max_tokens": 40 })))
        .ok();
    assert_eq!(answer["content"][0]["type"], "thinking");
    assert_eq!(answer["content"][1]["type"], "text");
    let fields = json!({ "thinking": { "type": "enabled", "budget_tokens": 1000 } });
    let endless = server.post("/v1/messages", &ask(&fields)).ok();
    assert_eq!(endless["content"].as_array().map(Vec::len), Some(1));
    let body = json!({ "stream": false, "options": { "num_predict": 40 },
        "messages": [{ "role": "user", "content": "Tell a story" }] });
    let answer = server.post("/api/chat", &body).ok();
    let message = &answer["message"];
    assert!(
        message["thinking"].is_string() && message["content"] != "",
        "{message}"
    );
}

#[test]
fn a_prompt_tells_how_far_it_is() {
    let server = Fixture::new();
    let prompt = "One day there was a cat. ".repeat(30);
    let body = json!({ "prompt": prompt, "n_predict": 2, "stream": true, "return_progress": true });
    let told = |path: &str, body: &Value| {
        let events = server.events(path, body);
        let values = events
            .iter()
            .filter_map(|(_, data)| serde_json::from_str(data).ok());
        values
            .filter_map(|event: Value| event.get("prompt_progress").cloned())
            .collect::<Vec<_>>()
    };
    let check = |told: &[Value]| {
        let (first, last) = (told.first().expect("a start"), told.last().expect("an end"));
        assert_eq!(first["processed"], first["cache"]);
        assert_eq!(last["processed"], last["total"]);
        assert!(
            last["total"].as_u64() > Some(100) && last["time_ms"].is_u64(),
            "{last}"
        );
        last["cache"].as_u64()
    };
    assert_eq!(check(&told("/completion", &body)), Some(0));
    assert!(
        check(&told("/completion", &body)) > Some(100),
        "it is cached now"
    );
    assert!(check(&told("/v1/completions", &body)) > Some(100));
    let chat = json!({ "messages": [{ "role": "user", "content": prompt }], "max_tokens": 2,
        "stream": true, "return_progress": true });
    check(&told(CHAT, &chat));
    let mut silent = chat.clone();
    silent["return_progress"] = json!(false);
    assert!(told(CHAT, &silent).is_empty());
}

#[test]
fn probabilities_are_those_that_tokens_were_drawn_by() {
    let server = Fixture::new();
    let body = json!({ "prompt": "One day", "n_predict": 10, "n_probs": 5, "post_sampling_probs": true,
        "top_k": 3, "top_p": 1.0, "min_p": 0.0, "temperature": 1.0, "seed": 1 });
    let answer = server.post("/completion", &body).ok();
    let tokens = answer["completion_probabilities"]
        .as_array()
        .expect("a list");
    assert_eq!(tokens.len(), 10);
    for token in tokens {
        let top = token["top_probs"].as_array().expect("a list");
        assert_eq!(top.len(), 3, "no more than the samplers left: {token}");
        let probs: Vec<f64> = top.iter().filter_map(|one| one["prob"].as_f64()).collect();
        assert!((probs.iter().sum::<f64>() - 1.0).abs() < 1e-4, "{token}");
        assert!(
            probs.is_sorted_by(|a, b| a >= b)
                && probs.contains(&token["prob"].as_f64().expect("one"))
        );
        assert!(token.get("logprob").is_none() && token.get("top_logprobs").is_none());
    }
    let mut greedy = body.clone();
    greedy["temperature"] = json!(0);
    let answer = server.post("/completion", &greedy).ok();
    assert_eq!(answer["completion_probabilities"][0]["prob"], 1.0);
    assert_eq!(answer["generation_settings"]["post_sampling_probs"], true);
}

#[test]
fn guesses_have_a_bound() {
    let server = Fixture::new();
    let ask = |fields: Value| {
        let prompt = "a b c d e f g h a b c d e f g h a b c d";
        let mut body = json!({ "prompt": prompt, "n_predict": 60, "temperature": 0 });
        for (name, value) in fields.as_object().expect("an object") {
            body[name] = value.clone();
        }
        let answer = server.post("/completion", &body);
        assert_eq!(answer.header("x-ingle-ignored"), None);
        let answer = answer.ok();
        (
            answer["content"].clone(),
            answer["timings"]["draft_n"].as_u64(),
            answer,
        )
    };
    let (text, _, usual) = ask(json!({}));
    assert_eq!(usual["generation_settings"]["speculative.n_max"], i32::MAX);
    let (same, guesses, _) = ask(json!({ "speculative.n_max": 0 }));
    assert_eq!((same, guesses), (text.clone(), Some(0)));
    // There are never so many in a row.
    let (same, guesses, _) = ask(json!({ "speculative.n_min": 1000 }));
    assert_eq!((same, guesses), (text, Some(0)));
}

#[test]
fn nothing_is_kept_of_prompts_if_that_is_wanted() {
    let prompt = "One day there was a cat. ".repeat(30);
    let body = json!({ "prompt": prompt, "n_predict": 2, "temperature": 0 });
    let cached = |server: &Fixture| {
        let answer = server.post("/completion", &body).ok();
        (answer["content"].clone(), answer["tokens_cached"].as_u64())
    };
    let usual = Fixture::new();
    let (text, first) = cached(&usual);
    let (same, second) = cached(&usual);
    assert!(first == Some(0) && second > Some(100) && same == text);
    let mut forgetful = options();
    let configure = forgetful.configure;
    forgetful.configure = Arc::new(move |builder| configure(builder).prefix_cache(0));
    let server = Fixture::start(forgetful);
    for _ in 0..2 {
        assert_eq!(cached(&server), (text.clone(), Some(0)));
    }
}
