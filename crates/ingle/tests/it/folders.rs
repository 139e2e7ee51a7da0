//! Models that are folders as Hugging Face has them.

use std::sync::{Arc, Mutex};

use formats::gguf::{Array, Strings, Value};
use ingle::hub::{Phase, Progress, Report};
use ingle::{DType, Error, Gguf, Model};
use serde_json::json;
use testkit::tiny::Parts;
use testkit::{ModelFolder, golden};

use crate::files::{TempFile, greedy};

fn load(folder: &ModelFolder) -> Result<Model, Error> {
    Model::builder(folder.name()).threads(2).load()
}

#[track_caller]
fn refused(folder: &ModelFolder, parts: &[&str]) {
    let error = match load(folder) {
        Ok(_) => panic!("it works"),
        Err(error) => error.to_string(),
    };
    for part in parts {
        assert!(error.contains(part), "`{error}` lacks `{part}`");
    }
}

/// The same weights and tokens as a GGUF file.
fn as_gguf(folder: &ModelFolder) -> TempFile {
    let gguf = Gguf::parse(golden::bytes("arch/llama/model.gguf")).expect("a golden file");
    let mut parts = Parts::of(&gguf);
    let tokenizer = load(folder).expect("sound").tokenizer().clone();
    let ids = 0..48;
    let text = |id: u32| tokenizer.token_text(id).unwrap_or_default().to_owned();
    let kind = |id| if id < 3 { 3 } else { 1 };
    let merges = ["Ġ a", "t h", "th e"].into_iter().collect::<Strings>();
    for (key, value) in [
        ("model", Value::String("gpt2".into())),
        ("pre", Value::String("gpt-2".into())),
        (
            "tokens",
            Value::Array(Array::String(ids.clone().map(text).collect())),
        ),
        (
            "token_type",
            Value::Array(Array::I32(ids.map(kind).collect())),
        ),
        ("merges", Value::Array(Array::String(merges))),
        ("bos_token_id", Value::U32(1)),
        ("eos_token_id", Value::U32(2)),
        ("add_bos_token", Value::Bool(true)),
    ] {
        parts
            .metadata
            .insert(&format!("tokenizer.ggml.{key}"), value);
    }
    TempFile::new("folders.gguf", &parts.write())
}

#[test]
fn a_folder_says_what_its_gguf_file_says() {
    let folder = ModelFolder::llama("same");
    let file = as_gguf(&folder);
    let texts = [folder.name(), file.name()].map(|name| {
        let model = Model::builder(name).threads(2).load().expect("sound");
        let request = model.complete("the cat sat on a mat").sampler(greedy());
        let reply = request.ignore_eos(true).max_tokens(40).run();
        let reply = reply.expect("a reply");
        assert_eq!(reply.usage.generated_tokens, 40);
        reply.text
    });
    assert_eq!(texts[0], texts[1]);
    assert!(!texts[0].is_empty());
}

/// A Q8_0 of it says nearly the same, and its matrices are in memory of their own.
#[test]
fn a_folder_quantised_while_it_is_loaded() {
    #[derive(Default)]
    struct Seen(Arc<Mutex<Vec<u64>>>);
    impl Progress for Seen {
        fn update(&mut self, report: &Report<'_>) {
            if let Phase::Quantizing("Q8_0") = report.phase {
                let mut seen = self.0.lock().expect("nobody panics");
                seen.push(report.done);
            }
        }
    }
    let folder = ModelFolder::llama("quant");
    let seen = Seen::default();
    let reports = seen.0.clone();
    let model = Model::builder(folder.name())
        .quant(DType::Q8_0)
        .progress(seen)
        .load();
    let model = model.expect("sound");
    let plain = load(&folder).expect("sound");
    let bytes = |model: &Model| model.info().file_bytes;
    assert!(bytes(&model) < bytes(&plain), "F16 takes more than Q8_0");
    let reports = reports.lock().expect("nobody panics");
    assert!(reports.len() > 10 && reports.is_sorted(), "{reports:?}");
    let text = |model: &Model| {
        let request = model.complete("the cat").sampler(greedy());
        request
            .ignore_eos(true)
            .max_tokens(5)
            .run()
            .expect("a reply")
            .text
    };
    assert!(!text(&model).is_empty());
    let Err(error) = Model::builder(folder.name()).quant(DType::IQ2_S).load() else {
        panic!("there is no writer for it");
    };
    assert!(error.to_string().contains("IQ2_S"), "{error}");
}

#[test]
fn facts_templates_and_recommendations() {
    let folder = ModelFolder::llama("facts");
    folder.json(
        "generation_config.json",
        &json!({"temperature": 0.6, "top_k": 5, "eos_token_id": [2, 9]}),
    );
    folder.json(
        "tokenizer_config.json",
        &json!({"bos_token": "<s>", "eos_token": "</s>", "chat_template": [
            {"name": "default", "template": "{{ messages[0].content }}"},
            {"name": "loud", "template": "{{ messages[0].content | upper }}"}
        ]}),
    );
    let model = load(&folder).expect("sound");
    let info = model.info();
    assert_eq!(info.architecture, "llama");
    assert_eq!(info.paths.len(), 5, "{:?}", info.paths);
    assert_eq!(
        (info.sampler.temp, info.sampler.top_k),
        (Some(0.6), Some(5))
    );
    assert_eq!(
        info.chat_template.as_deref(),
        Some("{{ messages[0].content }}")
    );
    assert_eq!(model.tokenizer().eog_ids(), [2, 9]);
    assert!(
        model
            .chat("the end")
            .sampler(greedy())
            .max_tokens(3)
            .run()
            .is_ok()
    );

    let loud = Model::builder(folder.name())
        .chat_template_name("loud")
        .load();
    let source = loud.expect("sound").info().chat_template.clone();
    assert_eq!(source.as_deref(), Some("{{ messages[0].content | upper }}"));
    let Err(error) = Model::builder(folder.name())
        .chat_template_name("quiet")
        .load()
    else {
        panic!("there is no such template");
    };
    let error = error.to_string();
    assert!(
        error.contains("`quiet`, expected one of: default, loud"),
        "{error}"
    );
}

#[test]
fn what_is_wrong_with_a_folder_is_named() {
    let folder = ModelFolder::llama("wrong");
    folder.json("generation_config.json", &json!({"temperature": "hot"}));
    refused(
        &folder,
        &["generation_config.json", "`temperature`", "\"hot\""],
    );
    folder.remove("generation_config.json");

    let tokenizer = std::fs::read_to_string(folder.path().join("tokenizer.json")).expect("text");
    folder.write(
        "tokenizer.json",
        tokenizer.replace("\"the\":35", "\"the\":48"),
    );
    refused(
        &folder,
        &["tokenizer.json` has 49 tokens", "at most 48", "`the`"],
    );
    folder.write("tokenizer.json", "[");
    refused(&folder, &["tokenizer.json", "EOF"]);
    folder.remove("tokenizer.json");
    refused(
        &folder,
        &["no tokenizer", "`tekken.json`, `tokenizer.model`"],
    );

    let config = std::fs::read_to_string(folder.path().join("config.json")).expect("text");
    folder.write(
        "config.json",
        config.replace("\"vocab_size\": 48", "\"vocab_size\": 50"),
    );
    refused(
        &folder,
        &[
            "config.json`, key `vocab_size`",
            "at most 48",
            "`token_embd.weight`",
            "found 50",
        ],
    );
    folder.write(
        "config.json",
        config.replace("\"hidden_size\": 64", "\"hidden_size\": 80"),
    );
    refused(
        &folder,
        &[
            folder.name(),
            "`model.embed_tokens.weight`",
            "[48, 80]",
            "[48, 64]",
        ],
    );
    folder.write("config.json", config);

    let weights = golden::bytes("arch/llama/model.safetensors");
    folder.write("model.safetensors", &weights[..weights.len() - 1]);
    refused(&folder, &["model.safetensors", "tensor `", "data ends at"]);
    folder.remove("model.safetensors");
    refused(&folder, &["no GGUF file"]);
}
