//! Models that are folders as Hugging Face has them.

use serde_json::json;
use testkit::ModelFolder;

use crate::support::{folder, ingle, outcome};

#[test]
fn a_folder_runs_and_is_shown() {
    let home = folder("folder_runs");
    let model = ModelFolder::llama("cli");
    model.json(
        "generation_config.json",
        &json!({"temperature": 0.5, "top_k": 7}),
    );
    model.write("chat_template.jinja", "<s>{{ messages[0].content }}");

    let facts = outcome(&mut ingle(&home, &["show", model.name(), "--json"])).json();
    assert_eq!(facts["runs"], true, "{}", facts["problem"]);
    assert!(facts["gguf_version"].is_null());
    assert_eq!(facts["sampler"], json!({"temp": 0.5, "top_k": 7}));
    assert_eq!(facts["chat_templates"], json!(["default"]));
    assert_eq!(facts["tokenizer"]["vocab_size"], 48);
    let text = outcome(&mut ingle(&home, &["show", model.name()])).text();
    assert!(
        text.contains("Sampler (what the model recommends)\n  temp: 0.5\n  top_k: 7\n"),
        "{text}"
    );

    let args = [
        "run",
        model.name(),
        "the cat",
        "-n",
        "4",
        "--json",
        "-s",
        "1",
        "-v",
    ];
    let outcome_of_run = outcome(&mut ingle(&home, &args));
    let told = &outcome_of_run.stderr;
    assert!(
        told.contains("the model recommends temp 0.5, top_k 7"),
        "{told}"
    );
    assert_eq!(outcome_of_run.json()["usage"]["completion_tokens"], 4);

    let ids = outcome(&mut ingle(
        &home,
        &["tokenize", model.name(), "the a", "--json"],
    ))
    .json();
    assert_eq!(ids, json!([1, 35, 33]));
}

#[test]
fn a_folder_without_a_tokenizer_says_so() {
    let home = folder("folder_tokenizer");
    let model = ModelFolder::llama("cli-broken");
    model.remove("tokenizer.json");
    let message = outcome(&mut ingle(&home, &["run", model.name(), "hi"])).failure(1);
    assert!(
        message.contains("expected `tokenizer.json`, `tekken.json`, `tokenizer.model`"),
        "{message}"
    );
}
