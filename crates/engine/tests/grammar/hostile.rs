//! Grammars made to hurt: an error, in bounded time.

use std::time::{Duration, Instant};

use engine::grammar::{GrammarEngine, GrammarError, GrammarSpec};
use serde_json::{Value, json};
use tokenizer::{Tokenizer, VocabTables};

use crate::support::qwen;

/// Far above what any takes here, also on a busy machine with checks on.
const LIMIT: Duration = Duration::from_secs(20);

/// Compiles and, if that works, follows for a while. Errors are welcome, a panic or a hang is not.
fn endure(name: &str, spec: GrammarSpec) -> Result<(), GrammarError> {
    let start = Instant::now();
    let result = qwen().compile(spec).and_then(|mut grammar| {
        let mut rng = crate::support::Rng(1);
        for _ in 0..20 {
            if grammar.is_stopped() {
                return Ok(());
            }
            let mask = grammar.mask()?;
            let set: Vec<u32> = (0..mask.len() as u32 * 32)
                .filter(|id| mask[*id as usize / 32] >> (id % 32) & 1 == 1)
                .collect();
            let token = set[rng.below(set.len())];
            grammar.commit(token)?;
        }
        Ok(())
    });
    let took = start.elapsed();
    assert!(took < LIMIT, "{name}: {took:?}");
    result
}

fn deep(depth: usize) -> Value {
    let mut schema = json!({"type": "null"});
    for _ in 0..depth {
        schema = json!({"type": "array", "items": schema});
    }
    schema
}

#[test]
fn hostile_schemas() {
    endure("deep", GrammarSpec::JsonSchema(deep(300))).expect_err("too deep");
    endure("not so deep", GrammarSpec::JsonSchema(deep(25))).expect("30 arrays are fine");
    let wide: Vec<Value> = (0..30_000).map(|i| json!({"const": i})).collect();
    endure("wide", GrammarSpec::JsonSchema(json!({"anyOf": wide}))).expect_err("too many values");
    let long = "x".repeat(1 << 20);
    endure("long", GrammarSpec::JsonSchema(json!({"const": long}))).expect_err("too long");
    let option = |i: usize| json!({"anyOf": [{"properties": {format!("a{i}"): {"type": "string"}}}, {"properties": {format!("b{i}"): {"type": "integer"}}}]});
    let all: Vec<Value> = (0..40).map(option).collect();
    endure(
        "2^40 cases",
        GrammarSpec::JsonSchema(json!({"type": "object", "allOf": all})),
    )
    .expect_err("too many cases");
    let names: serde_json::Map<String, Value> = (0..3_000)
        .map(|i| (format!("p{i}"), json!({"type": "integer"})))
        .collect();
    let _ = endure(
        "3,000 optional properties",
        GrammarSpec::JsonSchema(json!({"type": "object", "properties": names})),
    );
    for (name, schema) in [
        (
            "long strings",
            json!({"type": "string", "minLength": 99_999, "maxLength": 100_000}),
        ),
        (
            "many items",
            json!({"type": "array", "items": deep(3), "minItems": 100_000, "maxItems": 100_000}),
        ),
        (
            "nested counts",
            json!({"type": "string", "pattern": "^((((a{1,90}){1,90}){1,90}){1,90}){1,90}$"}),
        ),
        (
            "ambiguous",
            json!({"type": "string", "pattern": "^(a|a|aa|a*)*(a|b)*(a*)*b$"}),
        ),
        (
            "wide classes",
            json!({"type": "string", "pattern": r"^(\p{L}{1,50}\p{N}{1,50}){1,50}$"}),
        ),
        ("tail", json!({"type": "string", "pattern": "^.*a.{300}$"})),
        (
            "large multiples",
            json!({"type": "integer", "multipleOf": 999_999_937}),
        ),
        (
            "many patterns",
            json!({"type": "object", "patternProperties": {"(a|b){9}.*x{99}$": {}, "^(b|a)*y{99}$": {}}}),
        ),
    ] {
        let _ = endure(name, GrammarSpec::JsonSchema(schema));
    }
}

#[test]
fn hostile_texts() {
    let lark = |text: String| GrammarSpec::Lark(text);
    let gbnf = |text: String| GrammarSpec::Gbnf(text);
    let many = |n: usize, line: &dyn Fn(usize) -> String| (0..n).map(line).collect::<String>();
    endure(
        "brackets",
        lark(format!(
            "start: {}\"a\"{}",
            "(".repeat(9_999),
            ")".repeat(9_999)
        )),
    )
    .expect_err("too deep");
    endure(
        "brackets",
        gbnf(format!(
            "root ::= {}\"a\"{}",
            "(".repeat(9_999),
            ")".repeat(9_999)
        )),
    )
    .expect_err("too deep");
    endure(
        "brackets",
        GrammarSpec::Regex(format!("{}a{}", "(".repeat(9_999), ")".repeat(9_999))),
    )
    .expect_err("too deep");
    endure(
        "long",
        lark("start: \"".to_owned() + &"a".repeat(1 << 20) + "\""),
    )
    .expect_err("too long");
    for (name, spec) in [
        (
            "a long text",
            lark("start: \"".to_owned() + &"ab".repeat(100_000) + "\""),
        ),
        ("a long regex", GrammarSpec::Regex("ab?".repeat(80_000))),
        (
            "rules in a row",
            lark(
                "start: r0\n".to_owned()
                    + &many(9_000, &|i| format!("r{i}: \"a\" r{}\n", i + 1))
                    + "r9000: \"b\"\n",
            ),
        ),
        (
            "terminals in a row",
            lark(
                "start: T0\n".to_owned()
                    + &many(9_000, &|i| format!("T{i}: \"a\" T{}\n", i + 1))
                    + "T9000: \"b\"\n",
            ),
        ),
        (
            "rules in a row",
            gbnf(
                "root ::= r0\n".to_owned()
                    + &many(9_000, &|i| format!("r{i} ::= \"a\" r{}\n", i + 1))
                    + "r9000 ::= \"b\" root?\n",
            ),
        ),
        (
            "terminals in a row",
            gbnf(
                "root ::= r0\n".to_owned()
                    + &many(9_000, &|i| format!("r{i} ::= \"a\" r{}\n", i + 1))
                    + "r9000 ::= \"b\"\n",
            ),
        ),
        (
            "doubling",
            gbnf(
                "root ::= r0\n".to_owned()
                    + &many(60, &|i| format!("r{i} ::= r{} r{}\n", i + 1, i + 1))
                    + "r60 ::= \"b\"\n",
            ),
        ),
        (
            "repeats of repeats",
            gbnf("root ::= (((\"a\"{2000}){2000}){2000}){2000} root?".to_owned()),
        ),
        (
            "nullable repeats",
            gbnf("root ::= ((\"a\"?)*)* \"b\" root?".to_owned()),
        ),
        (
            "ambiguous",
            gbnf(
                "root ::= \"a\" s\ns ::= x x x x x x x x\nx ::= \"a\" x | \"a\" | \"\"".to_owned(),
            ),
        ),
        (
            "ambiguous",
            lark("start: s\ns: s s | \"a\" | \"a\" s | \"\"".to_owned()),
        ),
        ("a loop", lark("start: a\na: b\nb: a".to_owned())),
        (
            "negation",
            lark("start: T\nT: ~(/a.*b/ & ~/.*(x{1,500}y){20}.*/)".to_owned()),
        ),
    ] {
        let _ = endure(name, spec);
    }
    let choices: Vec<String> = (0..5_000).map(|i| format!("c{i}")).collect();
    endure("choices", GrammarSpec::Choice(choices[..4_000].to_vec()))
        .expect("4,000 texts are fine");
    endure("choices", GrammarSpec::Choice(choices)).expect_err("too many");
}

#[test]
fn random_texts_never_panic() {
    let mut rng = crate::support::Rng(7);
    let parts = [
        "root", "::=", "start", ":", "\"a\"", "[a-z]", "(", ")", "*", "{2,3}", "|", "\n", "/x+/",
        "%json", "{}", "\\", "\"", "é", "#", "?", "<", "~", "%ignore", "T", ".",
    ];
    for _ in 0..1_500 {
        let text: String = (0..rng.below(14))
            .map(|_| format!("{} ", parts[rng.below(parts.len())]))
            .collect();
        let _ = qwen().compile(GrammarSpec::Gbnf(format!("root ::= {text}")));
        let _ = qwen().compile(GrammarSpec::Lark(format!("start: {text}")));
    }
}

#[test]
fn vocabularies_that_fit_no_grammar_are_refused() {
    let tables = |tokens: &[&str]| VocabTables {
        kind: "llama".into(),
        tokens: tokens.iter().map(|&text| text.to_owned()).collect(),
        scores: vec![0.0; tokens.len()],
        token_types: vec![1; tokens.len()],
        ..VocabTables::default()
    };
    let no_end = Tokenizer::new(tables(&["a"])).expect("a tokenizer");
    assert_eq!(
        GrammarEngine::new(&no_end, 1).err(),
        Some(GrammarError::NoEnd)
    );
    let long = "x".repeat(5_000);
    let odd = Tokenizer::new(tables(&["a", "b", "</s>", &long, "a"])).expect("a tokenizer");
    assert!(matches!(
        GrammarEngine::new(&odd, 1 << 30),
        Err(GrammarError::Vocabulary(_))
    ));
    let engine = GrammarEngine::new(&odd, 5).expect("long and double tokens are only left out");
    let grammar = engine
        .compile(&GrammarSpec::Regex("[ax]+".into()))
        .expect("it compiles");
    assert!(!grammar.is_stopped());
}
