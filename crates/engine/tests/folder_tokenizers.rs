//! Tokenizers of Hugging Face folders against `transformers`, id by id.
//!
//! The files are too large to be kept here: `cargo xtask fetch tokenizers` brings them. What `transformers`
//! makes of them is in `golden/tokenizers`, with the script that asked it.

#![allow(clippy::print_stdout, reason = "says what was skipped")]

use std::path::Path;

use engine::hf;
use serde_json::Value;
use testkit::golden;

/// Checks one folder of a package; `around` says whether what goes around a text is compared too.
fn check(name: &str, around: bool) {
    let Some(file) = golden::real_model(&format!("tokenizers/{name}/tokenizer.json")) else {
        println!("skipped: the tokenizer `{name}` is not here\nhint: `cargo xtask fetch`");
        return;
    };
    check_folder(file.parent().expect("a file is in a folder"), name, around);
}

fn check_folder(folder: &Path, name: &str, around: bool) {
    let tokenizer = hf::tokenizer(folder, None).unwrap_or_else(|error| panic!("{name}: {error}"));
    let expected = golden::json(&format!("tokenizers/{name}.json"));
    assert_eq!(tokenizer.vocab_size() as u64, expected["size"], "{name}");
    for case in expected["cases"].as_array().expect("a list") {
        let text = case["text"].as_str().expect("a text");
        let ids = golden::tokens(&case["ids"]);
        let words = |ids: &[u32]| -> Vec<String> {
            let word = |&id: &u32| tokenizer.token_text(id).unwrap_or("?").to_owned();
            ids.iter().map(word).collect()
        };
        let found = tokenizer.encode(text, false, true);
        assert_eq!(words(&found), words(&ids), "{name}: {text:?}");
        assert_eq!(found, ids, "{name}: {text:?}");
        // Decoders of WordPiece are for reading, and are not followed.
        if case.get("decoded") != Some(&Value::Null) {
            let decoded = case["decoded"].as_str().unwrap_or(text);
            let found = tokenizer.decode(&ids, false);
            assert_eq!(found, decoded, "{name}: decoding {text:?}");
        }
        if around {
            let [before, after] = [0, 1].map(|i| golden::tokens(&case["around"][i]));
            let whole = [before, ids, after].concat();
            assert_eq!(
                tokenizer.encode(text, true, true),
                whole,
                "{name}: {text:?}"
            );
        }
    }
}

/// A folder without `tokenizer.json`, against SentencePiece itself, which sees no special tokens in text.
#[test]
fn mistral_v3() {
    let Some(file) = golden::real_model("tokenizers/mistral_v3/tokenizer.model") else {
        println!("skipped: the tokenizer `mistral_v3` is not here\nhint: `cargo xtask fetch`");
        return;
    };
    let tokenizer = hf::tokenizer(file.parent().expect("a folder"), None).expect("sound");
    let expected = golden::json("tokenizers/mistral_v3.json");
    assert_eq!(tokenizer.vocab_size() as u64, expected["size"]);
    for case in expected["cases"].as_array().expect("a list") {
        let text = case["text"].as_str().expect("a text");
        let ids = golden::tokens(&case["ids"]);
        assert_eq!(tokenizer.encode(text, false, false), ids, "{text:?}");
    }
    assert_eq!(tokenizer.encode("", true, false), [1]);
    assert_eq!(tokenizer.eos(), Some(2));
}

/// A folder with Mistral's own file, against mistral-common, which sees no special tokens in text either.
#[test]
fn tekken() {
    let Some(file) = golden::real_model("tokenizers/tekken/tekken.json") else {
        println!("skipped: the tokenizer `tekken` is not here\nhint: `cargo xtask fetch`");
        return;
    };
    let tokenizer = hf::tokenizer(file.parent().expect("a folder"), None).expect("sound");
    let expected = golden::json("tokenizers/tekken.json");
    assert_eq!(tokenizer.vocab_size() as u64, expected["size"]);
    for case in expected["cases"].as_array().expect("a list") {
        let text = case["text"].as_str().expect("a text");
        let ids = golden::tokens(&case["ids"]);
        assert_eq!(tokenizer.encode(text, false, false), ids, "{text:?}");
        assert_eq!(tokenizer.decode(&ids, false), text);
    }
    assert_eq!(tokenizer.encode("[INST]", true, true), [1, 3]);
    assert_eq!(tokenizer.eos(), Some(2));
}

/// A folder with RWKV's file, against the package that it comes from.
#[test]
fn rwkv() {
    let Some(file) = golden::real_model("tokenizers/rwkv/rwkv_vocab_v20230424.txt") else {
        println!("skipped: the tokenizer `rwkv` is not here\nhint: `cargo xtask fetch`");
        return;
    };
    let tokenizer = hf::tokenizer(file.parent().expect("a folder"), None).expect("sound");
    let expected = golden::json("tokenizers/rwkv.json");
    assert_eq!(tokenizer.vocab_size() as u64, expected["size"]);
    for case in expected["cases"].as_array().expect("a list") {
        let text = case["text"].as_str().expect("a text");
        let ids = golden::tokens(&case["ids"]);
        assert_eq!(tokenizer.encode(text, true, false), ids, "{text:?}");
        assert_eq!(tokenizer.decode(&ids, false), text);
    }
    assert_eq!(tokenizer.eos(), Some(0));
}

/// Trained by `golden/tokenizers/small.py`, with stages that the tokenizers of packages do not have.
#[test]
fn small() {
    for name in ["bert", "bert_cased", "t5", "xlm_r"] {
        let file = golden::path(&format!("tokenizers/small/{name}/tokenizer.json"));
        check_folder(file.parent().expect("a file is in a folder"), name, true);
    }
}

macro_rules! tokenizers {
    ($($test:ident $around:literal)*) => {$(
        #[test]
        fn $test() {
            check(stringify!($test), $around);
        }
    )*};
}

tokenizers! {
    afaan_oromo true
    afaan_oromo_bpe true
    claude true
    deepseek_v3 false
    gemini true
    gemma3 true
    gpt35turbo true
    gpt4o true
    gptoss true
    llama2 true
    llama3 true
    llama3_1 true
    mon true
    qwen3 true
}
