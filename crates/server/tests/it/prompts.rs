//! Prompts that llama.cpp's dialect puts together, and those that it keeps.

use formats::gguf::Value as Meta;
use serde_json::json;

use crate::support::{Changed, Fixture, options};

#[test]
fn what_stands_between_is_filled_in() {
    let file = Changed::new("fim.gguf", |parts| {
        for (name, id) in [("prefix", 300), ("suffix", 301), ("middle", 302)] {
            let key = format!("tokenizer.ggml.{name}_token_id");
            parts.metadata.insert(&key, Meta::U32(id));
        }
    });
    let server = Fixture::start(file.options());
    let mut body = json!({
        "input_prefix": "One day, ", "input_suffix": " the end.", "prompt": "Lily ", "n_predict": 4, "temperature": 0,
        "input_extra": [{ "filename": "a.txt", "text": "A cat." }], "t_max_prompt_ms": 500, "cache_prompt": true,
    });
    let answer = server.post("/infill", &body);
    assert_eq!(answer.header("x-ingle-ignored"), None);
    let answer = answer.ok();
    assert_eq!(answer["tokens_predicted"], 4);
    assert_eq!(answer["truncated"], false);
    let prompt = answer["prompt"].as_str().expect("text");
    let places = ["A cat.", "One day,", "Lily", "the end."].map(|text| prompt.find(text));
    assert!(
        places.iter().all(Option::is_some) && places.is_sorted(),
        "{prompt}"
    );
    // OpenAI's and Ollama's way to ask for the same.
    let completion =
        json!({ "prompt": "One day, ", "suffix": " the end.", "max_tokens": 4, "temperature": 0 });
    let completed = server.post("/v1/completions", &completion).ok();
    let generate = json!({
        "prompt": "One day, ", "suffix": " the end.", "options": { "num_predict": 4, "temperature": 0 }, "stream": false,
    });
    let generated = server.post("/api/generate", &generate).ok();
    assert_eq!(completed["choices"][0]["text"], generated["response"]);
    assert_eq!(
        completed["usage"]["prompt_tokens"],
        generated["prompt_eval_count"]
    );
    for (field, value) in [("echo", json!(true)), ("prompt", json!([1, 2]))] {
        let mut wrong = completion.clone();
        wrong[field] = value;
        assert_eq!(
            server.post("/v1/completions", &wrong).status,
            400,
            "{field}"
        );
    }
    // What has no room is left out from the front, and that is told.
    body["input_extra"] = json!([{ "text": "word ".repeat(400) }, { "text": "A dog." }]);
    let answer = server.post("/infill", &body).ok();
    assert_eq!(answer["truncated"], true);
    let prompt = answer["prompt"].as_str().expect("text");
    assert!(
        prompt.contains("A dog.") && !prompt.contains("word word"),
        "{prompt}"
    );
    body["input_prefix"] = json!("word ".repeat(600));
    let long = server.post("/infill", &body);
    assert_eq!(long.json()["error"]["type"], "exceed_context_size_error");
    assert_eq!(
        server.post("/infill", &json!({ "prompt": "x" })).status,
        400
    );
}

#[test]
fn the_prompt_of_a_slot_is_saved_and_put_back() {
    let folder = std::env::temp_dir().join(format!("ingle-it-{}-slots", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let serve = || {
        let mut saving = options();
        (saving.slot_save_path, saving.parallel) = (Some(folder.clone()), 1);
        Fixture::start(saving)
    };
    let text = "One day, a little girl named Lily went to the park with her mom. ".repeat(4);
    let complete = |server: &Fixture| {
        let body = json!({ "prompt": text, "n_predict": 4, "temperature": 0 });
        server.post("/completion", &body).ok()
    };
    let act = |server: &Fixture, action: &str, name: &str| {
        server.post(
            &format!("/slots/0?action={action}"),
            &json!({ "filename": name }),
        )
    };
    let first = serve();
    assert_eq!(
        act(&first, "save", "a.bin").status,
        400,
        "nothing is there yet"
    );
    let before = complete(&first);
    let saved = act(&first, "save", "a.bin").ok();
    assert_eq!(saved["n_saved"], before["tokens_evaluated"]);
    assert!(
        saved["n_written"]
            .as_u64()
            .is_some_and(|bytes| bytes > 1000)
    );
    assert_eq!(act(&first, "save", "../a.bin").status, 400);
    assert_eq!(act(&first, "restore", "b.bin").status, 400);
    assert_eq!(act(&first, "dance", "a.bin").status, 400);
    let erased = first.post_text("/slots/0?action=erase", "").ok();
    assert_eq!(erased["n_erased"], before["tokens_evaluated"]);
    assert_eq!(complete(&first)["tokens_cached"], 0);
    drop(first);
    let second = serve();
    let restored = act(&second, "restore", "a.bin").ok();
    assert_eq!(restored["n_restored"], saved["n_saved"]);
    let after = complete(&second);
    assert_eq!(after["content"], before["content"]);
    assert!(
        after["tokens_cached"]
            .as_u64()
            .is_some_and(|tokens| tokens > 20),
        "{after}"
    );
    drop(second);
    std::fs::remove_dir_all(&folder).expect("it is ours");
}
