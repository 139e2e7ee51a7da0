//! The files beside a folder's weights: which one counts, what they say, and what is wrong with them.

use std::path::PathBuf;

use engine::hf::{self, NamedTemplate};
use engine::sampler::SamplerParams;
use serde_json::{Value, json};

/// A folder that is removed again.
struct Temp(PathBuf);

impl Temp {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("engine-hf-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a temporary folder");
        Self(path)
    }

    fn with(self, name: &str, contents: impl AsRef<[u8]>) -> Self {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().expect("below a folder")).expect("a folder");
        std::fs::write(path, contents).expect("room on the disk");
        self
    }

    fn json(self, name: &str, value: &Value) -> Self {
        self.with(name, value.to_string())
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        // Nothing depends on it.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Two letters, a rule, and three tokens that steer.
fn tokenizer_json() -> Value {
    let special = |id: u32, text: &str| json!({"id": id, "content": text, "special": true});
    json!({
        "added_tokens": [special(3, "<begin>"), special(4, "<end>"), special(5, "<stop>")],
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
        "decoder": {"type": "ByteLevel"},
        "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}
    })
}

#[test]
fn roles_and_ends_come_from_the_configurations() {
    let temp = Temp::new("roles")
        .json("tokenizer.json", &tokenizer_json())
        .json(
            "tokenizer_config.json",
            &json!({"bos_token": {"content": "<begin>"}, "eos_token": "<end>", "add_bos_token": true,
                "pad_token": null, "unk_token": "<nowhere>"}),
        )
        .json("generation_config.json", &json!({"eos_token_id": [4, 5]}))
        .json("config.json", &json!({"text_config": {"eos_token_id": 1}}));
    let tokenizer = hf::tokenizer(&temp.0, None).expect("sound");
    assert_eq!((tokenizer.bos(), tokenizer.eos()), (Some(3), Some(4)));
    assert_eq!(tokenizer.encode("ab", true, true), [3, 2]);
    assert_eq!(tokenizer.eog_ids(), [1, 4, 5]);
    assert_eq!(
        tokenizer.special().unk,
        None,
        "a token that is not there has no role"
    );
    assert!(tokenizer.add_bos() && !tokenizer.add_eos());
}

#[test]
fn what_is_missing_or_broken_is_named() {
    let message = |temp: &Temp| {
        hf::tokenizer(&temp.0, None)
            .expect_err("broken")
            .to_string()
    };
    let temp = Temp::new("broken");
    assert!(message(&temp).contains("expected `tokenizer.json`"));
    let temp = temp.with("tiktoken.model", "AA== 0");
    assert!(message(&temp).contains("hint: `tiktoken.model`"));
    let temp = temp.with("tokenizer.model", "no model");
    assert!(
        message(&temp).contains("tokenizer.model`: SentencePiece model"),
        "{}",
        message(&temp)
    );
    let temp = temp.with("tokenizer.json", "{}");
    assert!(
        message(&temp).contains("missing field `model`"),
        "{}",
        message(&temp)
    );
    let temp = temp
        .json("tokenizer.json", &tokenizer_json())
        .json("generation_config.json", &json!({"eos_token_id": "<end>"}));
    let error = message(&temp);
    assert!(
        error.contains("generation_config.json`, key `eos_token_id`"),
        "{error}"
    );
    let temp = temp
        .json("generation_config.json", &json!({}))
        .json("tokenizer_config.json", &json!({"eos_token": 7}));
    let error = message(&temp);
    assert!(error.contains("tokenizer_config.json`, key `eos_token`") && error.contains("found 7"));
}

#[test]
fn tokens_without_a_row_go_unless_somebody_needs_them() {
    let temp = Temp::new("rows").json("tokenizer.json", &tokenizer_json());
    let with = |rows| hf::tokenizer(&temp.0, Some(rows));
    assert_eq!(with(6).expect("as many").vocab_size(), 6);
    let fewer = with(5).expect("nobody names `<stop>`");
    assert_eq!(fewer.vocab_size(), 5);
    assert_eq!(fewer.encode("<end>", false, true), [4]);
    assert!(!fewer.encode("<stop>", false, true).contains(&5));
    let error = with(2).expect_err("`ab` is needed").to_string();
    assert!(
        error.contains("tokenizer.json` has 6 tokens, expected at most 2"),
        "{error}"
    );
    assert!(error.contains("`ab`"), "{error}");
    let named = json!({"chat_template": "{{ message }}<stop>"});
    std::fs::write(temp.0.join("tokenizer_config.json"), named.to_string()).expect("room");
    let error = with(5).expect_err("the template names it").to_string();
    assert!(error.contains("`<stop>` has none"), "{error}");
}

#[test]
fn templates_have_an_order() {
    let names = |temp: &Temp| -> Vec<(String, String)> {
        let templates = hf::chat_templates(&temp.0).expect("sound");
        let pair = |NamedTemplate { name, source }| (name, source);
        templates.into_iter().map(pair).collect()
    };
    let pair = |name: &str, source: &str| (name.to_owned(), source.to_owned());
    let temp = Temp::new("templates");
    assert_eq!(names(&temp), []);
    let temp = temp.json("tokenizer_config.json", &json!({"chat_template": "old"}));
    assert_eq!(names(&temp), [pair("default", "old")]);
    let list = json!({"chat_template": [
        {"name": "tool_use", "template": "tools"}, {"name": "default", "template": "old"}
    ]});
    let temp = temp.json("tokenizer_config.json", &list);
    assert_eq!(
        names(&temp),
        [pair("default", "old"), pair("tool_use", "tools")]
    );
    let temp = temp
        .with("chat_template.jinja", "new")
        .with("additional_chat_templates/rag.jinja", "documents");
    let expected = [
        pair("default", "new"),
        pair("rag", "documents"),
        pair("tool_use", "tools"),
    ];
    assert_eq!(names(&temp), expected);
    let temp = temp.json(
        "tokenizer_config.json",
        &json!({"chat_template": [{"name": "x"}]}),
    );
    let error = hf::chat_templates(&temp.0)
        .expect_err("no source")
        .to_string();
    assert!(error.contains("key `chat_template`"), "{error}");
}

#[test]
fn sampler_defaults_replace_only_what_they_name() {
    let temp = Temp::new("sampling");
    let defaults = |temp: &Temp| hf::sampler_defaults(&temp.0);
    assert_eq!(defaults(&temp).expect("absent").iter().count(), 0);
    let temp = temp.json(
        "generation_config.json",
        &json!({"do_sample": true, "temperature": 0.7, "top_k": 20, "repetition_penalty": 1.1}),
    );
    let found = defaults(&temp).expect("sound");
    let named: Vec<_> = found.iter().collect();
    assert_eq!(
        named,
        [("temp", 0.7), ("top_k", 20.0), ("repeat_penalty", 1.1)]
    );
    let mut params = SamplerParams::default();
    let before = params.clone();
    found.apply(&mut params);
    assert_eq!(
        (params.temp, params.top_k, params.repeat_penalty),
        (0.7, 20, 1.1)
    );
    assert_eq!((params.top_p, params.min_p), (before.top_p, before.min_p));

    let greedy = json!({"do_sample": false, "temperature": 0.7});
    let temp = temp.json("generation_config.json", &greedy);
    assert_eq!(defaults(&temp).expect("sound").temp, Some(0.0));
    let temp = temp.json("generation_config.json", &json!({"top_p": 1.5}));
    let error = defaults(&temp).expect_err("above 1").to_string();
    assert!(
        error.contains("key `top_p`: expected a number from 0 to 1, found 1.5"),
        "{error}"
    );
}
