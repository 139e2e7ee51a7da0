//! Regular expressions, lists and Lark.

use engine::grammar::{GrammarError, GrammarSpec};

use crate::support::{allowed, llama, qwen};

#[test]
fn replies_match_the_regular_expression() {
    let cases = [
        "[0-9]{4}-[0-9]{2}",
        r"(foo|bar)+ \$[a-z]*/x",
        "é{2,3}|日本",
        r"\p{Greek}{3}",
        "^(yes|no)$",
    ];
    for (i, regex) in cases.iter().enumerate() {
        let check = regex_automata::meta::Regex::new(&format!("^(?:{regex})$")).expect("a regex");
        for seed in 0..6 {
            for kit in [qwen(), llama()] {
                let spec = GrammarSpec::Regex((*regex).to_owned());
                let mut grammar = kit.compile(spec).unwrap_or_else(|e| panic!("{regex}: {e}"));
                let (text, _) = kit.write(&mut grammar, seed * 100 + i as u64, 12);
                assert!(check.is_match(&text), "{regex}: {text:?}");
            }
        }
    }
}

#[test]
fn a_grammar_compiled_before_begins_anew() {
    let kit = qwen();
    let schema = |first: &str, second: &str| {
        let text = format!(
            r#"{{"type":"object","properties":{{"{first}":{{"type":"integer"}},"{second}":{{"type":"null"}}}},
            "required":["{first}","{second}"],"additionalProperties":false}}"#
        );
        GrammarSpec::JsonSchema(serde_json::from_str(&text).expect("a schema"))
    };
    let write = |spec: GrammarSpec, seed| {
        let mut grammar = kit.compile(spec).expect("it compiles");
        kit.write(&mut grammar, seed, 100)
    };
    for seed in 0..8 {
        let once = write(schema("a", "b"), seed);
        // Equal as values, but the order of properties is another.
        let turned = write(schema("b", "a"), seed);
        assert!(once.0.find("\"a\"") < once.0.find("\"b\""), "{}", once.0);
        assert!(
            turned.0.find("\"a\"") > turned.0.find("\"b\""),
            "{}",
            turned.0
        );
        assert_eq!(write(schema("a", "b"), seed), once);
    }
    // The same text in another language is another grammar; and more than are kept.
    assert_eq!(write(GrammarSpec::Regex("a|b".into()), 1).0.len(), 1);
    for i in 0..40 {
        let texts = vec![format!("x{i}"), format!("y{i}")];
        let text = write(GrammarSpec::Choice(texts.clone()), i).0;
        assert!(texts.contains(&text), "{text}");
    }
    assert_eq!(write(schema("a", "b"), 3), write(schema("a", "b"), 3));
}

#[test]
fn replies_are_one_of_the_list() {
    let texts = [
        "create",
        "read",
        "update",
        "delete",
        "other",
        "reader",
        "a \"b\"\\\n\tc",
        "日本",
        "\u{7f}\u{1}",
    ];
    let texts = texts.map(String::from).to_vec();
    let kit = qwen();
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..60 {
        let mut grammar = kit
            .compile(GrammarSpec::Choice(texts.clone()))
            .expect("it compiles");
        let (text, _) = kit.write(&mut grammar, seed, 100);
        assert!(texts.contains(&text), "{text:?}");
        seen.insert(text);
    }
    assert!(seen.len() >= 7, "{seen:?}");
}

#[test]
fn only_first_tokens_of_choices_are_allowed() {
    let kit = qwen();
    let texts = ["yes", "no"].map(String::from).to_vec();
    let mut grammar = kit
        .compile(GrammarSpec::Choice(texts))
        .expect("it compiles");
    let first: Vec<String> = allowed(&mut grammar)
        .into_iter()
        .map(|id| kit.tokenizer.decode(&[id], true))
        .collect();
    assert!(
        first
            .iter()
            .all(|text| "yes".starts_with(text) || "no".starts_with(text)),
        "{first:?}"
    );
    assert!(first.iter().any(|text| text == "yes") && first.iter().any(|text| text == "no"));
}

#[test]
fn lark_with_schemas_inside() {
    let kit = qwen();
    let lark = r#"
        // a comment with %json in it
        start: "call " NAME "(" args ")"
        NAME: /[a-z\/"]{1,5}/
        args: %json {"type": "object", "properties": {"n": {"type": "integer", "minimum": 0, "maximum": 99}},
                     "required": ["n"], "additionalProperties": false}
    "#;
    for seed in 0..8 {
        let mut grammar = kit
            .compile(GrammarSpec::Lark(lark.to_owned()))
            .expect("it compiles");
        let (text, _) = kit.write(&mut grammar, seed, 60);
        let (name, args) = text.split_once('(').expect("a bracket");
        assert!(name.starts_with("call ") && name.len() <= 10, "{text}");
        let args: serde_json::Value =
            serde_json::from_str(args.strip_suffix(')').expect("it is closed")).expect("JSON");
        assert!(args["n"].as_u64().is_some_and(|n| n < 100), "{text}");
    }
}

#[test]
fn broken_ones_are_refused() {
    let kit = qwen();
    let texts =
        |texts: &[&str]| GrammarSpec::Choice(texts.iter().map(|&text| text.to_owned()).collect());
    let regex = |text: &str| GrammarSpec::Regex(text.to_owned());
    let lark = |text: &str| GrammarSpec::Lark(text.to_owned());
    let refused = [
        (texts(&[]), "at least one"),
        (texts(&["a", ""]), "empty"),
        (regex(""), "empty"),
        (regex("(["), "regex"),
        (regex("(?=a)b"), "look"),
        (regex(r"(a)\1"), "backreference"),
        (regex("a{3,2}"), "repetition"),
        (lark(" "), "empty"),
        (lark("start: missing"), "missing"),
        (lark("start: \"a"), "1("),
        (lark("start: @other"), "other"),
        (lark("start: <|no_such_token|>"), "no_such_token"),
        (
            lark("start: %json {\"type\": \"object\", \"not\": {}}"),
            "#/not",
        ),
        (lark("start: %json {\"type\": "), "%json"),
        (lark("start: start \"a\""), ""),
    ];
    for (spec, part) in refused {
        match kit.compile(spec.clone()) {
            Ok(_) => panic!("accepted: {spec:?}"),
            Err(e) => assert!(e.to_string().to_lowercase().contains(part), "{spec:?}: {e}"),
        }
    }
    let spec = regex("a");
    let mut grammar = kit.compile(spec).expect("it compiles");
    let other = kit.tokenizer.encode("b", false, false)[0];
    assert_eq!(
        grammar.commit(other),
        Err(GrammarError::NotAllowed { token: other })
    );
    assert_eq!(
        grammar.commit(u32::MAX),
        Err(GrammarError::NotAllowed { token: u32::MAX })
    );
    let right = kit.tokenizer.encode("a", false, false)[0];
    grammar
        .commit(right)
        .expect("a refused token changes nothing");
}

#[test]
fn marks_are_tokens_where_the_vocabulary_has_them() {
    let kit = qwen();
    // A control token here; and a text that no token stands for.
    for (mark, is_token) in [("<|im_start|>", true), ("<|call|>", false)] {
        let lark =
            format!("start: FREE? | until %token \"{mark}\" \"x\"\n%until until FREE \"{mark}\"");
        let start = kit.compile(GrammarSpec::Lark(lark)).expect("it compiles");
        let ids = |text: &str| kit.tokenizer.encode(text, false, is_token);
        let takes = |text: &str| {
            let mut grammar = start.clone();
            let all = ids(text).into_iter().all(|id| grammar.commit(id).is_ok());
            (all, all && grammar.is_accepting())
        };
        assert_eq!(ids(mark).len() == 1, is_token);
        assert_eq!(takes("free < text <|im"), (true, true), "{mark}");
        assert_eq!(takes(&format!("text{mark}")), (true, false), "{mark}");
        assert_eq!(takes(&format!("{mark}{mark}x")), (true, true), "{mark}");
        assert!(!takes(&format!("text{mark}other")).0, "{mark}");
        assert!(!takes(&format!("text{mark}{mark}y")).0, "{mark}");
    }
    for wrong in [
        "start: %token",
        "start: %token \"\"",
        "start: \"a\"\n%until a \"b\"",
    ] {
        let error = kit
            .compile(GrammarSpec::Lark(wrong.to_owned()))
            .expect_err("it is malformed");
        assert!(error.to_string().contains("%until"), "{error}");
    }
}
