//! `ingle show`.

use crate::support::{folder, golden, ingle, model, outcome};
use crate::tokenize::vocabulary;

#[test]
fn json_says_everything_a_bug_report_needs() {
    let home = folder("show_json");
    let facts = outcome(&mut ingle(
        &home,
        &["show", &model(), "--json", "--ctx", "100"],
    ))
    .json();
    assert_eq!(facts["architecture"], "llama");
    assert_eq!(facts["runs"], true);
    assert_eq!(facts["gguf_version"], 1);
    assert_eq!(facts["config"]["d_model"], 64);
    let layers = &facts["config"]["layers"];
    assert_eq!(layers["count"], 5);
    assert_eq!(layers["kinds"][0]["layers"], "0-4");
    assert_eq!(
        layers["kinds"][0]["config"]["mixer"]["Attention"]["n_kv_heads"],
        4
    );
    let types = &facts["tensors"]["types"][0];
    assert_eq!(
        (types["type"].as_str(), types["count"].as_u64()),
        (Some("F32"), Some(48))
    );
    let level = facts["cpu"]["level"].as_str().expect("a name");
    assert_eq!(types["kernel"], format!("f32/{level}"));
    let memory = &facts["memory"];
    assert_eq!(memory["ctx"], 100);
    assert!(memory["kv_cache"].as_u64().is_some_and(|bytes| bytes > 0));
    assert_eq!(facts["metadata"]["tokenizer.ggml.tokens"]["len"], 512);
    assert_eq!(facts["tokenizer"]["vocab_size"], 512);
    assert_eq!(facts["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn a_forced_level_is_the_one_shown() {
    let home = folder("show_level");
    let facts =
        outcome(ingle(&home, &["show", &model(), "--json"]).env("INGLE_ISA", "scalar")).json();
    assert_eq!(facts["cpu"]["level"], "scalar");
    assert_eq!(facts["tensors"]["types"][0]["kernel"], "f32/scalar");
    let message = outcome(ingle(&home, &["show", &model()]).env("INGLE_ISA", "mmx")).failure(1);
    assert!(
        message.contains("`mmx`") && message.contains("\nhint: "),
        "{message}"
    );
}

#[test]
fn people_get_sections() {
    let home = folder("show_text");
    let text = outcome(&mut ingle(&home, &["show", &model()])).text();
    for word in [
        "Architecture",
        "Tensors",
        "Memory",
        "Tokenizer",
        "Metadata",
        "Chat template",
        "d_model: 64",
    ] {
        assert!(text.contains(word), "{word} in\n{text}");
    }
    assert!(!text.contains("blk.0.attn_q.weight"));
    let text = outcome(&mut ingle(&home, &["show", &model(), "--tensors"])).text();
    assert!(text.contains("blk.0.attn_q.weight"), "{text}");
}

#[test]
fn a_vocabulary_alone_is_shown_as_far_as_it_goes() {
    let home = folder("show_vocabulary");
    let path = vocabulary(&home, "qwen2").display().to_string();
    let facts = outcome(&mut ingle(&home, &["show", &path, "--json"])).json();
    assert_eq!(facts["runs"], false);
    assert!(
        facts["problem"]
            .as_str()
            .is_some_and(|text| text.contains("vocabulary")),
        "{facts}"
    );
    assert_eq!(facts["tokenizer"]["kind"], "Bpe");
    let text = outcome(&mut ingle(&home, &["show", &path])).text();
    assert!(text.contains("does not run here"), "{text}");
}

#[test]
fn an_unknown_architecture_and_tokenizer_are_named() {
    let home = folder("show_unknown");
    let mut bytes = std::fs::read(golden("models/stories260K-f32.gguf")).expect("it is there");
    // The name is that of the architecture, of its keys and of the tokenizer.
    while let Some(at) = bytes.windows(5).position(|word| word == b"llama") {
        bytes[at..at + 5].copy_from_slice(b"zebra");
    }
    std::fs::write(home.join("zebra.gguf"), bytes).expect("writable");
    let facts = outcome(&mut ingle(&home, &["show", "zebra.gguf", "--json"])).json();
    assert_eq!(facts["architecture"], "zebra");
    let problem = facts["problem"].as_str().expect("it does not run");
    assert!(
        problem.contains("`zebra`") && problem.contains("llama"),
        "{problem}"
    );
    assert!(facts["config"].is_null() && facts["memory"].is_null());
    assert_eq!(facts["metadata"]["zebra.block_count"], 5);
    let text = outcome(&mut ingle(&home, &["show", "zebra.gguf"])).text();
    assert!(text.contains("found `zebra`"), "{text}");
    outcome(&mut ingle(&home, &["run", "--raw", "zebra.gguf", "hi"])).failure(1);
}

#[test]
fn int8_keys_and_values_are_reckoned_and_measured() {
    let home = folder("show_kv_type");
    let kv = |kv_type: &str| {
        let args = ["show", &model(), "--json", "--kv-type", kv_type];
        let facts = outcome(&mut ingle(&home, &args)).json();
        assert_eq!(facts["memory"]["kv_type"], kv_type);
        facts["memory"]["kv_cache"].as_u64().expect("bytes")
    };
    assert!(kv("q8_0") < kv("f16"));
    let args = [
        "bench",
        &model(),
        "-p",
        "8",
        "-n",
        "0",
        "-r",
        "1",
        "--kv-type",
        "q8_0",
        "--json",
    ];
    assert_eq!(outcome(&mut ingle(&home, &args)).json()["kv_type"], "q8_0");
    let wrong = outcome(&mut ingle(&home, &["show", &model(), "--kv-type", "q7"])).failure(2);
    assert!(wrong.contains("q7") && wrong.contains("q8_0"), "{wrong}");
}
